"""Requests made anew from what is on record, as policy saw them then."""

from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from remit.authority.tasks import Lineage
from remit.authority.tokens import VerifiedSubject
from remit.decision.call.alike import Alike
from remit.decision.call.request import ActionRequest, Facts, ProposedCall, Resource
from remit.decision.replaying.recorded import RecordedTrace, Remembered
from remit.decision.sources.known import Known
from remit.decision.trials.running import Meant, Reader
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import Digest, JsonObject, parse_json, parse_object, sha256
from remit.kernel.errors import RemitError
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TokenId

_call, _request, _resource = builder(ProposedCall), builder(ActionRequest), builder(Resource)
_KNOWN_LIMIT: Final = 8192


class Lost(StrEnum):
    """Why a decision can't be made again."""

    ARGUMENTS = "its arguments were erased"
    TOOL = "its tool has changed or is gone"
    PARTIES = "who took part is not known any more"
    TOKEN = "its token is forgotten"  # noqa: S105 - a sentence, not a secret
    SIGN_IN = "how the person had signed in is not on record"
    LINEAGE = "nobody looked then at what was in its context"
    GLASS = "break glass had lifted a rule"
    FACTS = "the facts are not those of then"
    PAST = "its past began before the time that is replayed"


class _Reading(NamedTuple):
    """Arguments as they were read, with what they were read by."""

    server: Server | None
    tool: Tool | None
    raw: bytes
    arguments: JsonObject
    means: Meant | None


class Remaker:
    """Makes requests anew. Who acts for whom is alike for all calls of a token, and made once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[Any, ...], tuple[VerifiedSubject, Lineage]] = {}
        self._readings: Alike[tuple[int, int, str, Digest], _Reading] = Alike()

    def request(self, told: Remembered) -> ActionRequest | Lost:
        """The request as policy saw it, or what is missing of it."""
        raw = (told.arguments or "").encode()
        gone = _gone(told, raw)
        if gone is not None:
            return gone
        found, server, agent = told.stored.explanation, told.server, told.agent
        if server is None or agent is None or told.arguments is None or told.key is None:
            return Lost.PARTIES
        method = found.action.removeprefix(f"{server.name}/")
        try:
            read = self._read(told, method, raw)
        except RemitError:
            return Lost.FACTS
        means = read.means
        kind, _, name = found.resource.partition(":")
        if means is None or (means.resource.type, means.resource.id, means.action) != (
            kind,
            name,
            found.action,
        ):
            return Lost.FACTS
        subject, lineage = self._parties(found, told.key)
        return _request(
            call=_call(
                call=found.call, subject=subject, server=server.id,
                method="tools/call" if told.tool is not None else method, action=found.action,
                resource=_resource(type=kind, id=name), tool=told.tool, arguments=read.arguments,
                raw_arguments=read.raw, arguments_digest=found.arguments, money=means.money,
                consequential=means.consequential, at=found.at,
            ),
            principal=agent, instance=agent, blueprint=told.blueprint, user=told.user, task=told.task,
            server=server, tool=told.tool, lineage=lineage, factors=(), purpose=found.purpose,
            companions=tuple([each for each in told.companions if each is not None]),
            known=_known(found), risk=found.risk, facts=_facts(found) if found.facts else None,
        )  # fmt: skip

    def _read(self, told: Remembered, method: str, raw: bytes) -> _Reading:
        """What the arguments say; alike calls are read once. Raises what the reader and the parser raise.

        INVARIANT: the digest was compared with the text, and an entry holds the objects whose addresses are
        in its key, so no other call finds it.
        """
        place = (id(told.server), id(told.tool), method, told.stored.explanation.arguments)
        known = self._readings.get(place) if self._readings.worth else None
        if known is None:
            arguments = parse_object(raw) if raw else {}
            means = self._means(told, method, arguments)
            known = _Reading(told.server, told.tool, raw, arguments, means)
            if self._readings.worth:
                self._readings.keep(place, known)
        return known

    def _means(self, told: Remembered, method: str, arguments: JsonObject) -> Meant | None:
        if told.server is None:
            return None
        if told.tool is not None:
            return self._reader.tool(told.server, told.tool, arguments)
        return self._reader.method(told.server, method, arguments)

    def _parties(self, found: RecordedTrace, key: str) -> tuple[VerifiedSubject, Lineage]:
        place = (found.token, found.instance, found.chain, found.agent, found.user, found.task, key)
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            known = self._known[place] = (_subject(found, key), _lineage(found))
        return known


def _known(found: RecordedTrace) -> Known:
    """What a rule saw of the agent's context then."""
    if not found.labels and not found.outward:
        return _NOTHING
    return Known(labels=dict.fromkeys(found.labels, ""), outward=tuple(("", each) for each in found.outward))


def _facts(found: RecordedTrace) -> Facts:
    """What plugins said then; none is asked again."""
    return Facts(known={name: parse_json(said.encode()) for name, said in found.facts})


_NOTHING: Final = Known(labels={}, outward=())


def _gone(told: Remembered, raw: bytes) -> Lost | None:
    """What of a decision is not there any more."""
    found, agent = told.stored.explanation, told.agent
    if told.arguments is None or sha256(raw) != found.arguments:
        return Lost.ARGUMENTS
    if told.server is None or (told.named_tool and told.tool is None):
        return Lost.TOOL
    gone = (found.user is not None and told.user is None) or (found.task is not None and told.task is None)
    if agent is None or gone or None in told.companions or (agent.blueprint and told.blueprint is None):
        return Lost.PARTIES
    return Lost.TOKEN if told.key is None else None


def _lineage(found: RecordedTrace) -> Lineage:
    return Lineage(
        tenant=found.tenant, user=found.user, task=found.task, grant=None,
        chain=tuple(PrincipalId(each) for each in found.chain), principals=frozenset(), envelope=None,
    )  # fmt: skip


def _subject(found: RecordedTrace, key: str) -> VerifiedSubject:
    """The caller; when the token was issued is looked at by no policy, so the first call's time stands."""
    return VerifiedSubject(
        tenant=found.tenant, token=TokenId(found.token), instance=InstanceId(found.instance),
        agent=AgentId(found.agent), user=found.user, task=found.task,
        chain=tuple(InstanceId(each) for each in found.chain), envelope=None, ceiling=None, audience="",
        scopes=frozenset(), key=key, proof=None, issued_at=found.at,
        expires_at=found.at + timedelta(seconds=1), client=PrincipalId(found.instance),
    )  # fmt: skip
