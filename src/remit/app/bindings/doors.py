"""What the gateway's door asks: who is this, do they live, which tools are pinned, how is a no written."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from remit.authority.alive import Alive, alive
from remit.authority.envelope import text_digest
from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge
from remit.authority.oauth.domains.transaction import Transaction
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import InsufficientScope, OAuthError
from remit.authority.tasks import Lineage
from remit.authority.tokens import VerifiedSubject
from remit.authority.verify import require_envelope
from remit.decision.answer.denial import denial_of
from remit.decision.answer.response import Decision, Handing
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.service import DecisionService
from remit.enforcement.mcp.pins import Sighting
from remit.enforcement.pep.decider import Presented, ScopeMissing, Unauthenticated
from remit.identity.lifecycle import State
from remit.identity.tool_service import Seen, ToolService
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.clock import Clock
from remit.kernel.ids import PrincipalId, ServerId, TenantId, ToolId
from remit.kernel.jose.errors import TokenRejected

T = TypeVar("T")
D = TypeVar("D")

_GATEWAY = PrincipalId("system")
"""Who is on record as having seen a changed definition: the gateway itself."""


class Doorman:
    """`TokenVerifier`: token, proof and envelope, by the authority wing's own procedures."""

    def __init__(
        self, *, verifier: AccessTokenVerifier, transactions: Callable[[str], Transaction] | None = None
    ) -> None:
        self._verifier = verifier
        self._transactions = transactions

    async def verify(self, presented: Presented) -> VerifiedSubject:
        """Verify what was presented; the envelope must be the one that the token names."""
        try:
            subject = await self._verifier.verify_now(
                f"{presented.scheme} {presented.token}",
                [presented.proof] if presented.proof else [],
                presented.method,
                presented.url,
                presented.audience,
                certificate=presented.certificate,
            )
            check_envelope(presented.envelope, subject)
            if presented.transaction and self._transactions is not None:
                check_transaction(self._transactions(presented.transaction), subject)
        except TokenRejected as broken:
            raise Unauthenticated("the transaction token does not hold", debug=broken.reason) from broken
        except InsufficientScope as small:
            raise ScopeMissing(small.hint, scopes=sorted(small.scopes)) from small
        except OAuthError as refused:
            raise Unauthenticated(refused.hint, error=refused.error, debug=refused.reason) from refused
        except (EnvelopeRejected, EnvelopeTooLarge) as broken:
            raise Unauthenticated(broken.hint, debug=broken.debug) from broken
        return subject


def check_envelope(text: str, subject: VerifiedSubject) -> None:
    """DE-17: a chain of several must show its envelope; whatever is shown must be the token's own."""
    if not text:
        require_envelope(text, chain=len(subject.chain))
    elif not text.isascii() or subject.envelope is None or text_digest(text) != subject.envelope:
        raise Unauthenticated("the envelope is not the one that the token names")


def check_transaction(told: Transaction, subject: VerifiedSubject) -> None:
    """A transaction token is about the very task, and the very person, of the token of access beside it."""
    if told.task != subject.task or told.subject != (subject.user or told.subject):
        raise Unauthenticated("the transaction token is about another task")


class PipelineDecider:
    """`Decider`: the decision wing, in this process; `handing` is what becomes of a permit's capability."""

    def __init__(self, decisions: DecisionService, *, handing: Handing = Handing.USED) -> None:
        self._decisions = decisions
        self._handing = handing

    def decide(self, call: ProposedCall) -> Coroutine[Any, Any, Decision]:
        """Judge one call; it is on record before this returns."""
        return self._decisions.decide(call, handing=self._handing)

    async def visible(
        self, subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, at: datetime
    ) -> frozenset[ToolId]:
        """The tools that this subject could call with some arguments."""
        return await self._decisions.preview(subject, server, tools, at=at)


class SnapshotLiveness:
    """`Liveness`: what this node's newest snapshot says."""

    def __init__(self, *, snapshots: Snapshots, clock: Clock) -> None:
        self._snapshots = snapshots
        self._clock = clock

    def epoch(self, tenant: TenantId) -> int:
        """The newest epoch that this node knows."""
        snapshot = self._snapshots.current()
        return snapshot.epoch if snapshot.tenant == tenant else -1

    async def alive(self, subject: VerifiedSubject) -> bool:
        """Whether everything above the subject lives, on a snapshot of the present head."""
        snapshot = await self._snapshots.catch_up()
        found = alive(snapshot, _lineage(subject, snapshot), self._clock.now())
        return isinstance(found, Alive)


def _lineage(subject: VerifiedSubject, snapshot: Snapshot) -> Lineage:
    """Everything above an open stream that could be stopped."""
    task = snapshot.tasks.get(subject.task) if subject.task else None
    members = [snapshot.principals.get(PrincipalId(ident)) for ident in subject.chain]
    parents = [snapshot.principals.get(member.parent) for member in members if member and member.parent]
    known = [entry for entry in (*members, *parents) if entry is not None]
    envelope = snapshot.envelopes.get(subject.envelope) if subject.envelope else None
    ancestors: Iterable[str] = envelope.names if envelope else ()
    above = {ident for entry in known for ident in (entry.owner, entry.blueprint) if ident}
    return Lineage(
        tenant=subject.tenant,
        user=subject.user,
        task=subject.task,
        grant=task.grant if task else None,
        chain=tuple(PrincipalId(ident) for ident in subject.chain) or (subject.client,),
        principals=frozenset(PrincipalId(ident) for ident in (*(entry.id for entry in known), *above)),
        envelope=None,
        others=frozenset(
            {str(subject.token), subject.key, subject.credential, subject.envelope or "", *ancestors} - {""}
        ),
        companions=task.companions if task else (),
    )


class Derived(Generic[T, D]):
    """What follows from one table of the snapshot, worked out again only when that table is another one."""

    def __init__(self, derive: Callable[[Iterable[T]], D]) -> None:
        self._derive = derive
        self._known: tuple[object, D] | None = None

    def of(self, table: Mapping[Any, T]) -> D:
        """Tables of snapshots are never edited, so the same object holds the same."""
        if self._known is None or self._known[0] is not table:
            self._known = (table, self._derive(table.values()))
        return self._known[1]


def by_name(servers: Iterable[Server]) -> dict[str, list[Server]]:
    """The servers of each name; more than one where a retired one left its name to another."""
    found: dict[str, list[Server]] = {}
    for server in servers:
        found.setdefault(server.name, []).append(server)
    return found


def _by_server(tools: Iterable[Tool]) -> dict[ServerId, dict[str, Tool]]:
    found: dict[ServerId, dict[str, Tool]] = {}
    for tool in tools:
        found.setdefault(tool.server, {})[tool.name] = tool
    return found


class PinnedTools:
    """`ToolRegistry`: servers and tools of the newest snapshot; sightings go to the directory."""

    def __init__(self, *, snapshots: Snapshots, tools: ToolService, clock: Clock) -> None:
        self._snapshots = snapshots
        self._tools = tools
        self._clock = clock
        self._servers = Derived[Server, dict[str, list[Server]]](by_name)
        self._pinned = Derived[Tool, dict[ServerId, dict[str, Tool]]](_by_server)

    def server(self, name: str) -> Server | None:
        """The server at `/mcp/<name>`, if it is registered and active."""
        snapshot = self._snapshots.current()
        # A retired server leaves its name to another one.
        named = self._servers.of(snapshot.servers).get(name, ())
        for server in named:
            if snapshot.state_of(PrincipalId(server.id)) is State.ACTIVE:
                return server
        return None

    def tools(self, server: Server) -> Mapping[str, Tool]:
        """Every tool of the server by name, quarantined ones included."""
        return self._pinned.of(self._snapshots.current().tools).get(server.id, {})

    async def quarantine(self, sightings: Sequence[Sighting]) -> None:
        """Put what was seen on record, server by server; a changed tool is out of use afterwards."""
        for ident in {sighting.server.id for sighting in sightings}:
            seen = [
                Seen(name=sighting.name, definition=_definition(sighting))
                for sighting in sightings
                if sighting.server.id == ident
            ]
            await self._tools.observe(ident, seen, by=_GATEWAY, at=self._clock.now())
        await self._snapshots.catch_up()


def _definition(sighting: Sighting) -> JsonObject:
    """What the server sent; a definition without canonical form is shown as its name and fault alone."""
    if not sighting.definition:
        return {"name": sighting.name, "refused": sighting.cause}
    return parse_object(sighting.definition.encode())


class PublicExplainer:
    """`Explainer`: the structured denial, with the page where people read why."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def denial(self, decision: Decision, *, call_key: str) -> JsonObject:
        """The object of `_meta["dev.remit/denial"]`."""
        why = f"{self._issuer}/api/v1/decisions/{decision.id}"
        return denial_of(decision, call_key=call_key, why=why).to_json()
