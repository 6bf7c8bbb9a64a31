"""Capabilities to carry, as the API shows them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec

from remit.app.bindings.issuing import Issued
from remit.authority.capability import Capability
from remit.enforcement.pep.decider import Ask
from remit.surface.web.schemas.words import Amounts, Ident, Jws

Hex = Annotated[str, msgspec.Meta(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""
Thumbprint = Annotated[str, msgspec.Meta(min_length=43, max_length=43, pattern=r"^[A-Za-z0-9_-]{43}$")]
"""Of a public key (RFC 7638), SHA-256."""
ServerName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
ToolName = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class CapabilityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a tool; the bytes of `arguments` as they are sent are what the capability is bound to."""

    server: ServerName
    tool: ToolName
    arguments: dict[str, Any]


class AskView(msgspec.Struct, frozen=True, kw_only=True):
    """The question to a person that is open about exactly these bytes."""

    id: str
    state: str
    page: str
    sentence: str
    give_up_at: datetime

    @classmethod
    def of(cls, ask: Ask) -> Self:
        """From the enforcement point."""
        return cls(
            id=ask.id, state=ask.state, page=ask.page, sentence=ask.sentence, give_up_at=ask.give_up_at
        )


class CapabilityAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`permit` with the capability, or `ask`, `step_up` or `deny` with the structured denial."""

    effect: str
    decision: str
    call: str
    capability: str = ""
    """The signed capability (`remit-cap+jwt`): one use, at most 90 s, by the holder of the token's key."""
    denial: dict[str, Any] | None = None
    approval: AskView | None = None

    @classmethod
    def of(cls, issued: Issued) -> Self:
        """From what the issuer decided."""
        decision = issued.decision
        return cls(
            effect=decision.verdict.effect.value,
            decision=decision.id,
            call=issued.call,
            capability=decision.capability_token or "",
            denial=dict(issued.denial) if issued.denial is not None else None,
            approval=AskView.of(issued.ask) if issued.ask is not None else None,
        )


class Consumption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool server was shown and is about to do."""

    capability: Jws
    server: ServerName
    tool: ToolName
    arguments_sha256: Hex
    key: Thumbprint
    """Of the key whose possession the caller has proven to the tool server (RFC 9449)."""


class ConsumptionView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was used up: the tool may run now, once."""

    capability: str
    decision: str
    action: str
    resource: str
    agent: str
    task: str = ""

    @classmethod
    def of(cls, used: Capability) -> Self:
        """From the domain."""
        return cls(
            capability=used.id,
            decision=used.decision,
            action=used.action,
            resource=f"{used.resource_type}:{used.resource}",
            agent=used.subject,
            task=used.task or "",
        )


class EndState(StrEnum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it ended; no content, a digest of it."""

    outcome: EndState
    code: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_]*$")] = ""
    result_sha256: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^([0-9a-f]{64})?$")] = ""
    resources: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=500)]], msgspec.Meta(max_length=50)
    ] = []
    used: Amounts = {}
    """What the call took of each meter that was reserved; the others stay as they were."""


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record now."""

    capability: Ident
    outcome: EndState
