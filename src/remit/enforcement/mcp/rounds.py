"""Between two rounds of one request: the server's state travels with the caller, sealed by us.

MCP 2026-07-28, multi round-trip requests. What comes back is opened only for the same instance, task,
server, method, target and argument bytes, for ten minutes; each round is decided anew (MC-12).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec

from remit.enforcement.mcp.questions import Question, answers_of
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.wire import NAMED
from remit.kernel.canonical import JsonObject
from remit.kernel.clock import Clock
from remit.kernel.errors import Invalid
from remit.kernel.sealed import SealedBox

LIFE: Final = timedelta(minutes=10)
LARGEST: Final = 64 << 10
"""Bytes of a server's own state that we carry."""


class StateUnknown(Invalid):
    """A request state that was not issued here for this request, or is too old."""

    code = "request_state_unknown"


class _State(msgspec.Struct, frozen=True):
    """What is sealed. `ends` in microseconds; `fields` by question, then field → JSON type."""

    ends: int
    fields: dict[str, dict[str, str]]
    theirs: str | None


_READ: Final = msgspec.json.Decoder(_State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Closes a round with a sealed state, and opens it again."""

    box: SealedBox
    clock: Clock

    def close(self, request: Request, questions: dict[str, Question], theirs: Any) -> JsonObject:
        """The result that asks. Raises `Invalid` for a server's state that is no text or too large."""
        if theirs is not None and (not isinstance(theirs, str) or len(theirs) > LARGEST):
            raise Invalid(f"server's request state is no text of at most {LARGEST} characters")
        ends = self.clock.now() + LIFE
        fields = {key: dict(question.fields) for key, question in questions.items()}
        state = _State(ends=round(ends.timestamp() * 1_000_000), fields=fields, theirs=theirs)
        asked: JsonObject = {
            key: {"method": "elicitation/create", "params": question.params}
            for key, question in questions.items()
        }
        sealed = self.box.seal(msgspec.json.encode(state), context=_context(request))
        result: JsonObject = {"resultType": "input_required", "requestState": sealed}
        return result | ({"inputRequests": asked} if asked else {})

    def open(self, request: Request) -> JsonObject:
        """The members of `params` that continue the round at the server.

        Raises `StateUnknown` if there is none to continue, `Invalid` for answers of another shape.
        """
        given = request.message.params.get("requestState")
        state = self._read(given, request) if isinstance(given, str) else None
        if state is None or state.ends < self.clock.now().timestamp() * 1_000_000:
            raise StateUnknown("`requestState` was not issued here for this request, or is too old")
        answers = answers_of(request.message.params.get("inputResponses", {}), state.fields)
        theirs: JsonObject = {} if state.theirs is None else {"requestState": state.theirs}
        return theirs | ({"inputResponses": answers} if answers else {})

    def _read(self, sealed: str, request: Request) -> _State | None:
        plain = self.box.open(sealed, context=_context(request))
        return None if plain is None else _READ.decode(plain)


def _context(request: Request) -> tuple[bytes, ...]:
    """Everything that must be the same when the state comes back."""
    subject, message = request.subject, request.message
    target = message.params.get(NAMED.get(message.method, ""), "")
    texts = (subject.tenant, subject.instance, subject.task or "", request.server.id, message.method)
    return (
        *(text.encode() for text in texts),
        target.encode() if isinstance(target, str) else b"",
        message.raw_params.get("arguments", b""),
    )
