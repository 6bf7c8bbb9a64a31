"""One message, decided and done: the gateway between a verified caller and one server.

Every request is decided, whatever its method; a method that is not known here is refused, recorded, and
never forwarded. Nothing is sent before the permit is on record, and nothing is sent twice.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from remit.authority.tokens import VerifiedSubject
from remit.decision.call.request import ProposedCall
from remit.enforcement.mcp import forward, headers, mapping, results
from remit.enforcement.mcp.carrier import Carrier, connect_first, modes_of
from remit.enforcement.mcp.catalogue import Catalogue, repeated_in_headers
from remit.enforcement.mcp.frames import Message, object_of
from remit.enforcement.mcp.inbound import Refused
from remit.enforcement.mcp.local import LocalAnswers
from remit.enforcement.mcp.questions import Mode
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.results import Answer, failure
from remit.enforcement.mcp.rounds import Rounds, StateUnknown
from remit.enforcement.mcp.upstream import Reply, UpstreamFailed, Upstreams
from remit.enforcement.mcp.wire import (
    ASKABLE,
    META_CALL,
    Code,
    Era,
    served,
)
from remit.enforcement.pep.credentials import CredentialMissing, Credentials, NoVault
from remit.enforcement.pep.decider import (
    AskState,
    CallLog,
    CallState,
    Decider,
    Explainer,
    NoScoping,
    RecordedCall,
    Refusal,
    ScopeMissing,
    Scoping,
    StepUpNeeded,
    Unauthenticated,
)
from remit.enforcement.pep.gate import Denied, Gate, Permit
from remit.enforcement.retrieval.shelf import NoShelf, Shelf
from remit.identity.tools import Tool
from remit.kernel.canonical import JsonObject, framed_digest, sha256
from remit.kernel.clock import Clock
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import CallId, Entropy, mint_id

_CALL_ID: Final = re.compile(r"call_[0-9A-HJKMNP-TV-Z]{36}")
_CALL_KEY: Final = re.compile(r"[A-Za-z0-9_.\-]{8,64}")
_SERVED: Final = ("tools", "resources", "prompts", "completions")


class Gateway:
    """Decides requests and carries out those that are permitted."""

    def __init__(
        self,
        *,
        gate: Gate,
        decider: Decider,
        calls: CallLog,
        explainer: Explainer,
        catalogue: Catalogue,
        upstreams: Upstreams,
        rounds: Rounds,
        clock: Clock,
        entropy: Entropy,
        credentials: Credentials | None = None,
        scoping: Scoping | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self._scoping = scoping or NoScoping()
        self._credentials = credentials or NoVault()
        self._gate = gate
        self._decider = decider
        self._calls = calls
        self._explainer = explainer
        self._catalogue = catalogue
        self._rounds = rounds
        self._carrier = Carrier(
            gate=gate,
            upstreams=upstreams,
            rounds=rounds,
            credentials=self._credentials,
            shelf=shelf or NoShelf(),
            clock=clock,
        )
        self._clock = clock
        self._entropy = entropy
        self._local = LocalAnswers(catalogue=catalogue, decider=decider, upstreams=upstreams, clock=clock)

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Raises `Refused` and `Unauthenticated` for the edge to render."""
        message = request.message
        if not served(message.method, request.era):
            await self.refuse(request, "method_unknown", "method is not served here")
            return failure(Code.METHOD_NOT_FOUND, f"Method not found: {message.method[:128]}")
        try:
            continued = self._continued(request)
        except Invalid as strange:
            await self.refuse(request, strange.code, strange.hint)
            return failure(Code.INVALID_PARAMS, strange.hint)
        try:
            if message.method == "tools/call":
                return await self._call_tool(request, continued)
            return await self._answer_plain(request, continued)
        except mapping.ArgumentsUnmapped as unmapped:
            return await self._unmapped(request, unmapped)
        except UpstreamFailed as failed:
            return failure(Code.INTERNAL, failed.hint)

    async def refuse(self, request: Request, code: str, sentence: str) -> None:
        """Put on record what the gateway refuses by itself."""
        await self._calls.refuse(
            Refusal(
                call=request.call,
                subject=request.subject,
                server=request.server.id,
                method=request.message.method[:128],
                action=f"{request.server.name}/{request.message.method[:128].replace('/', '.')}",
                code=code,
                sentence=sentence,
                arguments_digest=sha256(request.message.raw_params.get("arguments", b"")),
                at=self._clock.now(),
            )
        )

    def call_of(self, message: Message, subject: VerifiedSubject) -> tuple[CallId, str, bool]:
        """The call's id, the key by which its caller may repeat it, and whether the caller brought that key.

        A key is worth something only together with the instance that used it first.
        """
        key = message.meta.get(META_CALL)
        if key is None:
            ident = mint_id("call", at=self._clock.now(), entropy=self._entropy)
            return CallId(ident), ident, False
        if not isinstance(key, str) or not (_CALL_ID.fullmatch(key) or _CALL_KEY.fullmatch(key)):
            raise Refused(
                "call key is not 8 to 64 of letters, digits, `_`, `.`, `-`",
                status=400,
                rpc=Code.INVALID_PARAMS,
            )
        state = message.raw_params.get("requestState", b"")
        if _CALL_ID.fullmatch(key) and not state:
            return CallId(key), key, True
        # A further round is a call of its own, under the same key.
        parts = [
            subject.tenant.encode(),
            subject.instance.encode(),
            key.encode(),
            *([state] if state else []),
        ]
        return CallId("call_" + framed_digest("remit call key", parts)[:36].upper()), key, True

    async def _answer_plain(self, request: Request, continued: JsonObject) -> Answer:
        message = request.message
        meaning = mapping.meaning_of_method(request.server, message.method, message.params)
        raw = object_of(forward.judged_params(message))
        judged = {name: message.params[name] for name in forward.judged_params(message)}
        judged |= _dataset(request)
        own = self._local.of(message.method)
        if own is None and (missing := await self._unconnected(request)) is not None:
            return missing
        match await self._admit(self._propose(request, meaning, judged, raw)):
            case Denied() as denied:
                return await self._say_no(request, denied)
            case Permit() as permit:
                return await (
                    self._forward(request, permit, {}, continued)
                    if own is None
                    else self._carrier.fulfil(request, permit, own)
                )

    async def _call_tool(self, request: Request, continued: JsonObject) -> Answer:
        message = request.message
        name, arguments = message.params.get("name"), message.params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return failure(Code.INVALID_PARAMS, "`name` must be a string and `arguments` an object")
        tool = await self._visible_tool(request, name)
        if tool is None:
            await self._ask_for_tool(request, name)
            await self.refuse(request, "tool_unavailable", "tool is unknown, hidden, changed or quarantined")
            return results.unknown_tool(name)
        declared = repeated_in_headers(tool.definition)
        await self._check_mirrored(request, declared, arguments)
        meaning = mapping.meaning_of_tool(request.server, tool, arguments)
        call = self._propose(request, meaning, arguments, message.raw_params.get("arguments", b""))
        known = await self._recorded(request, call) or await self._unconnected(request)
        if known is not None:
            return known
        try:
            outcome = await self._admit(call)
        except RemitError:
            # Another copy of this call may have won the race for its key meanwhile.
            if (known := await self._recorded(request, call)) is not None:
                return known
            raise
        match outcome:
            case Denied() as denied:
                return await self._say_no(request, denied)
            case Permit() as permit:
                mirrored = headers.mirror(declared, arguments)
                return await self._forward(request, permit, mirrored, continued)

    async def _ask_for_tool(self, request: Request, name: str) -> None:
        """A tool that only the token's scopes hide can be had by asking. Raises `ScopeMissing`."""
        hidden = (await self._catalogue.usable(request.server)).get(name)
        if hidden is None:
            return
        action = mapping.action_of_tool(request.server, hidden)
        if scopes := self._scoping.to_ask(request.subject, action):
            await self.refuse(request, ScopeMissing.code, "the token's scopes do not reach this tool")
            raise _scope_missing(scopes)

    async def _visible_tool(self, request: Request, name: str) -> Tool | None:
        """The tool, if it is approved, unchanged, and shown to this caller. The same work for every name."""
        return await self._local.shown_tool(request, name)

    async def _check_mirrored(
        self, request: Request, declared: Sequence[headers.ParamHeader], arguments: JsonObject
    ) -> None:
        if request.era is Era.LEGACY:
            return  # Headers mean nothing on the legacy wire; none of the caller's is forwarded there.
        try:
            headers.check_params(declared, arguments, request.headers)
        except headers.HeaderMismatch as mismatch:
            await self.refuse(request, mismatch.code, mismatch.hint)
            raise Refused(mismatch.hint, status=400, rpc=Code.HEADER_MISMATCH) from mismatch

    def _propose(
        self, request: Request, meaning: mapping.Meaning, arguments: JsonObject, raw: bytes
    ) -> ProposedCall:
        return ProposedCall(
            call=request.call,
            subject=request.subject,
            server=request.server.id,
            method=request.message.method,
            action=meaning.action,
            resource=meaning.resource,
            tool=meaning.tool,
            arguments=arguments,
            raw_arguments=raw,
            arguments_digest=sha256(raw),
            money=meaning.money,
            consequential=meaning.consequential,
            at=self._clock.now(),
        )

    async def _admit(self, call: ProposedCall) -> Permit | Denied:
        outcome = await self._gate.admit(call)
        if any(reason.code == "proof_replayed" for reason in outcome.decision.verdict.reasons):
            raise Unauthenticated("proof of possession was used before", error="invalid_dpop_proof")
        return outcome

    async def _unconnected(self, request: Request) -> Answer | None:
        """What a call is told whose server needs a credential that its own user and agent do not have.

        Asked before the decision, so that nobody approves what can't be sent; the carrier asks again.
        """
        if request.server.credential is None:
            return None
        try:
            await self._credentials.ready(request.subject, request.server)
        except CredentialMissing as missing:
            await self.refuse(request, missing.code, missing.hint)
            return connect_first(request, missing)
        return None

    async def _recorded(self, request: Request, call: ProposedCall) -> Answer | None:
        """A call that is on record under this key is answered from the record, never run again (CA-14)."""
        if not request.repeated:
            return None
        record = await self._calls.recall(call.subject.tenant, call.subject.instance, call.call)
        if record is None:
            return None
        if (record.arguments_digest, record.action) != (call.arguments_digest, call.action):
            await self.refuse(request, "call_key_reused", "call key stands for other bytes")
            return failure(Code.INVALID_PARAMS, "call key was used for another call")
        return self._from_record(request, record)

    def _from_record(self, request: Request, record: RecordedCall) -> Answer:
        if record.result is None or record.state in {CallState.RUNNING, CallState.UNKNOWN}:
            return results.repeated(record, call_key=request.call_key, era=request.era)
        return self._carrier.tell(request, Reply(era=request.era, **json.loads(record.result)))

    async def _unmapped(self, request: Request, unmapped: mapping.ArgumentsUnmapped) -> Answer:
        await self.refuse(request, unmapped.code, unmapped.hint)
        denial: JsonObject = {
            "version": 1,
            "kind": unmapped.code,
            "code": unmapped.code,
            "message": unmapped.hint,
            "remedy": {"action": "contact_owner"},
        }
        return results.denied(denial, method=request.message.method, era=request.era)

    async def _say_no(self, request: Request, denied: Denied) -> Answer:
        _send_to_sign_in(denied)
        if any(said.code == "right_missing" for said in denied.decision.verdict.reasons[:1]):
            scopes = self._scoping.to_ask(request.subject, denied.call.action)
            if scopes:
                raise _scope_missing(scopes)
        if self._may_ring(request, denied) and denied.ask is not None:
            return results.input_required(denied.ask)
        denial = self._explainer.denial(denied.decision, call_key=request.call_key)
        if denied.code:
            denial = {**denial, "code": denied.code, "message": denied.sentence}
        return results.denied(denial, method=request.message.method, era=request.era)

    def _may_ring(self, request: Request, denied: Denied) -> bool:
        """MCP 2026-07-28: `input_required` only for a mode that the client has declared."""
        return (
            Mode.URL in modes_of(request) and denied.ask is not None and denied.ask.state is AskState.PENDING
        )

    async def _forward(
        self, request: Request, permit: Permit, mirrored: Mapping[str, str], continued: JsonObject
    ) -> Answer:
        return await self._carrier.send(request, permit, mirrored, continued)

    def _continued(self, request: Request) -> JsonObject:
        """What a further round brings for the server; nothing in a first one. Raises `Invalid`."""
        if "requestState" not in request.message.params:
            return {}  # An answer to our own bell says nothing: the yes is on record, or there is none.
        if request.era is Era.LEGACY or request.message.method not in ASKABLE:
            raise StateUnknown("`requestState` was not issued here for this request, or is too old")
        return self._rounds.open(request)


def _dataset(request: Request) -> JsonObject:
    """The data set of the resource that is read, as rights bound it (R127): never the caller's word."""
    documents, address = request.server.documents, request.message.params.get("uri")
    if request.message.method != "resources/read" or documents is None or not isinstance(address, str):
        return {}
    name = documents.dataset_of(address)
    return {"dataset": name} if name else {}


def _scope_missing(scopes: tuple[str, ...]) -> ScopeMissing:
    """All that is needed together, so that a client that asks for it loses nothing that it had."""
    return ScopeMissing("the token lacks a scope; ask for all that `scope` names", scopes=scopes)


def _send_to_sign_in(denied: Denied) -> None:
    """RFC 9470 §3: a client that a person signed in to can have them sign in again, as the challenge says.

    Whatever nobody can meet is told as any other denial, so that no client tries again in vain (MC-30).
    Raises `StepUpNeeded`.
    """
    demand, subject = denied.decision.verdict.step_up, denied.call.subject
    if demand is not None and subject.signed_in_at is not None and not demand.hopeless:
        raise StepUpNeeded(
            "the person must sign in again, as `acr_values` and `max_age` say",
            acr=demand.acr,
            max_age=demand.max_age,
        )
