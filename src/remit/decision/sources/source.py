"""One document or result in an agent's context, on whom it is kept, and how its labels come about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from remit.authority.tasks import Initiative, Task
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Obligation
from remit.decision.answer.told import Told
from remit.decision.sources.known import NO_EXPORT, SUMMARIZE_ONLY
from remit.kernel.canonical import Digest, framed_digest

VALUES: Final = 256
"""Different values of one tag that the labels of a holder keep apart; past it the tag counts as `full`."""
MEMORY: Final = timedelta(days=30)
"""How long an agent carries the labels of what it read in runs that nobody asked it for."""
LABEL: Final = "label"
BINDING: Final[Mapping[str, str]] = {"no_export": NO_EXPORT, "summarize_only": SUMMARIZE_ONLY}
"""Obligations that go with the data, and the label that each leaves."""


LEAVING: Final = frozenset({LABEL, *BINDING})
"""Obligations that a document can carry: they go with it as labels. Any other would be left to nobody."""


class Origin(StrEnum):
    """How something came into a context."""

    DOCUMENT = "document"
    RESULT = "result"


class Source(Told, frozen=True, kw_only=True):
    """One document, or the result of one call."""

    origin: Origin
    name: str
    """`Document:plan-7`, or the resource that a call was about."""
    action: str
    """What brought it: `library/documents.retrieve`, `business/mail.search`."""
    digest: Digest
    """SHA-256 of what was read, as its bringer states it; empty where it was not stated."""
    labels: tuple[str, ...]
    at: datetime
    agent: str
    """The instance that read it."""
    decision: str = ""
    """The decision of the call; empty for a document."""
    record: str = ""
    """The ledger record of the filtering; empty for a result."""

    @property
    def id(self) -> Digest:
        """The same document or result, of the same words, under the same labels."""
        parts = (self.origin, self.name, self.action, self.digest, self.decision, *self.labels)
        return framed_digest("remit/source/v1", [part.encode() for part in parts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Labels of a context, each with the name of a source; `full` tags have more than are kept."""

    labels: Mapping[str, str]
    full: frozenset[str] = frozenset()
    prints: frozenset[bytes] = frozenset()
    """Of what may only be summarized."""


class SourceStore(Protocol):
    """Sources of one tenant, by whom they are kept on."""

    def add(
        self, holders: Iterable[str], sources: Sequence[Source], prints: frozenset[bytes] = frozenset()
    ) -> None:
        """Keep sources and their labels; what is there already is kept as it was first."""

    def gather(self, holders: Iterable[str], at: datetime, *, prints: bool) -> Gathered:
        """Labels of all that is kept on any of these; prints only where they are wanted."""

    def page(
        self, holder: str, *, before: datetime | None, after: str, limit: int
    ) -> Sequence[tuple[str, Source]]:
        """Sources with the place of each, oldest first; `after` is a place, `before` a moment, exclusive."""


def holders(subject: VerifiedSubject, task: Task | None) -> tuple[str, ...]:
    """On whom everything that a caller reads is kept, and whose labels it carries.

    SAFETY: a run of an agent's own initiative shares its labels with the agent's other such runs: it can't
    be rid of what it read by beginning another one.
    """
    if subject.task is None:
        return (subject.agent,)
    if task is None or task.user is None or task.initiative is Initiative.AGENT:
        return (subject.task, subject.agent)
    return (subject.task,)


def labels_of(tags: Iterable[tuple[str, str]] | None, obligations: Iterable[Obligation]) -> tuple[str, ...]:
    """Labels as policies name them: `sensitivity=confidential`, `no-export`; sorted, each once."""
    found = {f"{name}={value}" for name, value in tags or ()}
    for duty in obligations:
        if duty.type == LABEL:
            found |= {f"{name}={value}" for name, value in duty.properties}
        elif duty.type in BINDING:
            found.add(BINDING[duty.type])
    return tuple(sorted(found))
