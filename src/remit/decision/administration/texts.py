"""From text to version: what an administrative policy must pass, and the one that is shipped."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from remit.decision.administration.actions import Catalogue
from remit.decision.administration.judging import AdminPolicy
from remit.decision.administration.schema import build_admin_schema
from remit.decision.policy.admission import admit, compile_bundle, read, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.errors import Fault, PolicyRefused

SHIPPED: Final = 0
"""The number of the version that comes with the product."""
_MEANINGLESS: Final = ("approval", "stepup", "obligation", "zone", "disclose", "remember", "link")


@cache
def shipped_text() -> str:
    """The roles that come with the product."""
    return files("remit.decision.administration").joinpath("roles.cedar").read_text(encoding="utf-8")


@cache
def shipped() -> AdminPolicy:
    """The version that is in force where nobody has published another."""
    return compiled(shipped_text(), number=SHIPPED)


def compiled(text: str, *, number: int) -> AdminPolicy:
    """Prepare a text that was admitted before; raises `PolicyRefused` if it can't be read any more."""
    return AdminPolicy(compile_bundle(text, version=version_of(text, number)))


def admitted(text: str, *, number: int, catalogue: Catalogue) -> AdminPolicy:
    """Take a text that parses and fits what there is to administer; raises `PolicyRefused`."""
    bundle = admit(text, version=version_of(text, number), schema=build_admin_schema(catalogue))
    faults = tuple(_misplaced(bundle, text))
    if faults:
        raise PolicyRefused(faults)
    return AdminPolicy(bundle)


def _misplaced(bundle: Bundle, text: str) -> Iterator[Fault]:
    """Annotations that mean something to an agent's call and nothing here."""
    for node in read(text).nodes.values():
        for name in sorted(set(node.annotations) & set(_MEANINGLESS)):
            yield Fault(
                policy=node.annotations.get("id", ""),
                sentence=f"`@{name}` means nothing about administration",
            )
    if bundle.program is None:
        yield Fault(policy="", sentence="no rule is in force, so that nobody could do anything")
