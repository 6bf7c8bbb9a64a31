"""Cases as the API shows them: questions of agents, and people's own words in answer."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.decision.provenance.labels import Label
from remit.oversight.approvals.visible import show
from remit.oversight.cases.case import Case, CaseState
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.oversight import ShownText

LONGEST_WAIT = 50
"""Seconds that a request waits for an answer: less than intermediaries do."""
_Digest = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
_Key = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_.\-]{8,64})?$")]
_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]


class NewCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent asks a person. The same `key` again is the same case."""

    question: _Words
    to: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """`user`, `owner`, `team:<name>`, `role:<name>`, as the operator allows. Empty: the usual one."""
    key: _Key = ""
    envelope: _Digest = ""
    """Digest of the delegation that the caller acts by, where the task was handed on to it."""


class CaseAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person's own words. They grant nothing: what the agent does with them is decided as ever."""

    answer: _Words


class CaseQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cases."""

    state: CaseState | None = None
    mine: bool = False
    """Only those that the caller was asked."""


class CaseWait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait for an answer, in seconds."""

    wait: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT)] = 0


class CaseView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case. `answer` is raw, for the agent; `question` is made visible, for people."""

    id: str
    state: CaseState
    agent: str
    agent_name: str
    task: str
    user: str = ""
    user_name: str = ""
    to: str
    asked: list[str]
    question: ShownText
    asked_at: datetime
    expires_at: datetime
    answer: str = ""
    answered_by: str = ""
    provenance: Label | None = None
    """What the words are worth in the task: `user_intent`, or `trusted_source` of whoever answers for it."""
    ended_at: datetime | None = None

    @classmethod
    def of(cls, case: Case) -> Self:
        """From the domain."""
        return cls(
            id=case.id,
            state=case.state,
            agent=case.agent,
            agent_name=case.agent_name,
            task=case.task,
            user=case.user or "",
            user_name=case.user_name,
            to=case.to,
            asked=list(case.asked),
            question=ShownText.of(show(case.question)),
            asked_at=case.asked_at,
            expires_at=case.expires_at,
            answer=case.answer,
            answered_by=case.answered_by or "",
            provenance=case.provenance,
            ended_at=case.ended_at,
        )
