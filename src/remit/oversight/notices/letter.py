"""The words of a message: a title of ours, one sentence that policy allows, and a link behind sign-in.

INVARIANT: no argument, no resource, no prompt text and no secret is in a letter. What agents are called is
quoted, and nothing invisible or directional survives in it (CB-02, CB-15).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.visible import show

_NAME: Final = 80
_REASON: Final = 200


class Detail(StrEnum):
    """How much a message says before its reader has signed in."""

    NONE = "none"
    SUMMARY = "summary"


class Topic(StrEnum):
    """What a message is about; each has its own title, written here."""

    APPROVAL = "approval"
    SIGN_IN = "sign_in"
    CASE = "case"
    KILL = "kill"
    BREAK_GLASS = "break_glass"
    ALARM = "alarm"
    OUTCOME = "outcome"
    FOLDED = "folded"
    TEST = "test"


TITLES: Final = {
    Topic.APPROVAL: "An approval waits for you",
    Topic.SIGN_IN: "Somebody asks to act for you",
    Topic.CASE: "An agent asks you something",
    Topic.KILL: "Something was stopped",
    Topic.BREAK_GLASS: "Break glass",
    Topic.ALARM: "An alarm",
    Topic.OUTCOME: "An ask was settled",
    Topic.FOLDED: "More waits for you",
    Topic.TEST: "This is a test",
}
URGENT: Final = frozenset({Topic.KILL, Topic.BREAK_GLASS, Topic.ALARM, Topic.TEST, Topic.OUTCOME})
"""Not counted against what a person is told in an hour: these are rare, or no person's."""
ANSWERED: Final = frozenset({Topic.APPROVAL, Topic.SIGN_IN, Topic.CASE})
"""What a person is to do something about, so that a message which nobody confirms goes another way too."""
_CLOSED: Final = "Open the page to see what it is about."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one message says; `path` is below our own address."""

    topic: Topic
    sentence: str
    path: str
    ends_at: datetime | None = None
    facts: tuple[tuple[str, str], ...] = ()
    """For programs: ids and codes of an outcome."""

    @property
    def title(self) -> str:
        """The headline, ours alone."""
        return TITLES[self.topic]


def approval_letter(approval: Approval, *, detail: Detail) -> Letter:
    """That a person is asked: who asks, for whom, for which action, and why policy asks."""
    who = quoted(approval.agent_name)
    behalf = f" for {quoted(approval.user_name)}" if approval.user_name else ""
    lasting = "It can be taken back." if approval.reversible else "It can't be taken back."
    why = f" Why: {plain(approval.reason, _REASON).rstrip('.')}." if approval.reason else ""
    told = f"{who} asks{behalf} to run {quoted(approval.action)}. {lasting}{why}"
    return Letter(
        topic=Topic.APPROVAL,
        sentence=told if detail is Detail.SUMMARY else _CLOSED,
        path=f"/approvals/{approval.id}",
        ends_at=approval.expires_at,
    )


def sign_in_letter(*, agent: str, until: datetime | None, detail: Detail) -> Letter:
    """That an agent asks a person behind the scenes (CIBA Core §8); its own message is on the page alone."""
    told = f"{quoted(agent)} asks for your yes. If you expected nothing, open the page and say no."
    return Letter(
        topic=Topic.SIGN_IN,
        sentence=told if detail is Detail.SUMMARY else _CLOSED,
        path="/me/asks",
        ends_at=until,
    )


def outcome_letter(approval: Approval) -> Letter:
    """What became of an ask, for the agent that waits: ids and the state, nothing that was asked."""
    facts = (
        ("approval", approval.id),
        ("state", approval.state.value),
        ("call", approval.call),
        ("decision", approval.decision),
        ("task", approval.task or ""),
        ("action", approval.action),
        ("expires_at", approval.expires_at.isoformat()),
    )
    sentence = f"{approval.id} is {approval.state}"
    return Letter(topic=Topic.OUTCOME, sentence=sentence, path=f"/approvals/{approval.id}", facts=facts)


def plain_letter(topic: Topic, sentence: str, *, path: str) -> Letter:
    """Any other fact, in a sentence of ours."""
    return Letter(topic=topic, sentence=sentence, path=path)


def quoted(name: str) -> str:
    """What somebody else called something, in quotes that it can't close."""
    return f"“{plain(name, _NAME).replace('“', chr(39)).replace('”', chr(39))}”"


def plain(text: str, limit: int) -> str:
    """One line of visible characters; what is cut off is said."""
    line = " ".join(show(text).text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
