"""Verify, ask, obey: the one way through an enforcement point.

A call passes if the decider permitted it, the permit is on record, and every obligation can be met. What
can't be asked, answered or understood is refused.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from remit.decision.answer.response import Decision, Effect
from remit.decision.call.request import ProposedCall
from remit.enforcement.pep import obligations
from remit.enforcement.pep.decider import (
    Ask,
    AskState,
    CallLog,
    CallOutcome,
    CallState,
    CannotAsk,
    Decider,
    Desk,
)
from remit.kernel.building import builder
from remit.kernel.canonical import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The call may be sent, once, and its result comes back under the decision's obligations."""

    call: ProposedCall
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The call may not be sent. `ask` is the question to a person that is open or was answered, if any."""

    call: ProposedCall
    decision: Decision
    ask: Ask | None = None
    code: str = ""
    """Set if the enforcement point itself had to refuse: `obligation_unknown`, or nobody could be asked."""
    sentence: str = ""
    """Why, for people, where `code` is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """How long a call waits for a person before its caller is told to come back."""

    hold_seconds: float = 20.0


_permit, _outcome = builder(Permit), builder(CallOutcome)
_UNKNOWN_DUTY: Final = "permitted under a duty that is not known here"


class Gate:
    """Asks the decider, waits for a person where one must decide, and reports what became of the call."""

    def __init__(self, *, decider: Decider, desk: Desk, calls: CallLog, options: GateOptions) -> None:
        self._decider = decider
        self._desk = desk
        self._calls = calls
        self._options = options

    async def admit(self, call: ProposedCall) -> Permit | Denied:
        """Decide one call, holding it for a person at most once; after a yes it is decided again."""
        decision = await self._decide(call)
        if decision.verdict.effect is not Effect.ASK:
            return await self._obey(call, decision, None)
        try:
            ask = await self._desk.ask(call, decision)
        except CannotAsk as unable:
            return Denied(call=call, decision=decision, code=unable.reason, sentence=unable.hint)
        if ask.state is AskState.PENDING:
            ask = await self._desk.wait(ask, self._options.hold_seconds)
        if ask.state is AskState.PENDING:
            return Denied(call=call, decision=decision, ask=ask)
        # A yes permits nothing by itself: policy, lineage and budget may have changed while it was awaited.
        # A no, an expiry and a cancellation are decided again too, so that each is told as itself (N17).
        # The first decision burnt the proof of possession, so the second must not present it again.
        again = replace(call, subject=replace(call.subject, proof=None))
        return await self._obey(again, await self._decide(again), ask)

    async def settle(
        self,
        permit: Permit,
        *,
        state: CallState,
        code: str,
        sent: bool,
        result: bytes,
        resources: tuple[str, ...],
        at: datetime,
    ) -> None:
        """Put on record how a permitted call ended."""
        await self._calls.finish(
            _outcome(
                call=permit.call,
                decision=permit.decision,
                state=state,
                code=code,
                sent=sent,
                result=result,
                result_digest=sha256(result),
                resources=resources,
                at=at,
            )
        )

    async def _decide(self, call: ProposedCall) -> Decision:
        """Decide; a caller that leaves meanwhile does not leave a permit behind that nobody accounts for."""
        deciding = asyncio.create_task(self._decider.decide(call))
        try:
            return await asyncio.shield(deciding)
        except asyncio.CancelledError:
            decision = await deciding
            if decision.verdict.effect is Effect.PERMIT:
                await self._unsent(Permit(call=call, decision=decision), "cancelled")
            raise

    async def _unsent(self, permit: Permit, code: str) -> None:
        await self.settle(
            permit,
            state=CallState.FAILED,
            code=code,
            sent=False,
            result=b"",
            resources=(),
            at=permit.decision.at,
        )

    async def _obey(self, call: ProposedCall, decision: Decision, ask: Ask | None) -> Permit | Denied:
        effect = decision.verdict.effect
        match effect:
            case Effect.PERMIT:
                return await self._within_obligations(call, decision)
            case Effect.ASK | Effect.STEP_UP | Effect.DENY:
                return Denied(call=call, decision=decision, ask=ask)
            case unreachable:
                assert_never(unreachable)

    async def _within_obligations(self, call: ProposedCall, decision: Decision) -> Permit | Denied:
        permit = _permit(call=call, decision=decision)
        try:
            obligations.check(decision.verdict.obligations, method=call.method)
        except obligations.ObligationUnknown as unknown:
            await self._unsent(permit, unknown.code)
            return Denied(call=call, decision=decision, code=unknown.code, sentence=_UNKNOWN_DUTY)
        return permit
