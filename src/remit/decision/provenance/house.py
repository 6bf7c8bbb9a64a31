"""Who is reached without anything leaving the house: own mail domains, and handles of a members' server.

An administrator declares both. They spare a question only where the user asked for a message to be sent,
never where money, rights or objects are moved, never where the user asked to answer somebody, and never for
whom a text alone names. A link in what is sent counts as it always does.
"""

from dataclasses import dataclass, replace
from typing import Final

from remit.decision.provenance.effects import Deed
from remit.decision.provenance.intent import Intent
from remit.decision.provenance.labels import Label
from remit.decision.provenance.lexicon import Doing
from remit.decision.provenance.normal import Shape, values_in
from remit.decision.provenance.seen import Sighting
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.trace import Traced

_INSIDE: Final = Sighting(label=Label.POLICY, source="own house")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What belongs to the house: mail domains, lower case, and whether a server's handles are members."""

    domains: frozenset[str] = frozenset()
    members: bool = False

    def nearing(
        self, traced: tuple[Traced, ...], intent: Intent, deed: Deed, server: str
    ) -> tuple[Traced, ...]:
        """The same values; recipients of the house have the house for their ground."""
        sends = deed.doing is Doing.SEND and deed.doing not in intent.answering
        if not (self.domains or self.members) or not sends or not intent.asks(deed.doing, deed.things):
            return traced
        return tuple(
            replace(item, ground=_INSIDE) if not item.believed and self._inside(item, server) else item
            for item in traced
        )

    def _inside(self, item: Traced, server: str) -> bool:
        if item.kind is not Kind.RECIPIENT or item.imitates or item.ground.label is Label.TEXT:
            # What only a text names is the text's choice of a recipient, inside the house too.
            return False
        reached = [value for value in values_in(item.text) if value.shape in _AWAY]
        if reached:
            # A letter of another script is no colleague's, whatever it looks like.
            return item.text.isascii() and all(
                v.shape is Shape.MAIL and v.text.rpartition("@")[2] in self.domains for v in reached
            )
        return self.members and item.ground.label is Label.TOOL and server_of(item.ground.source) == server


NOBODY: Final = House()
_AWAY: Final = frozenset({Shape.MAIL, Shape.IBAN, Shape.PHONE, Shape.URL})


def server_of(source: str) -> str:
    """The server in the name of a source, `<server>/<action>`; empty where no server is named."""
    return source.rpartition("/")[0]
