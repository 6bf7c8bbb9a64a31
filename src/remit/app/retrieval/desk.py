"""Answers retrieval servers and our own gateway: which documents, which resources, for whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from remit.app.access.posing import Subjects
from remit.app.access.question import Asked, Entity
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Effect
from remit.decision.call.actions import DOCUMENT_TYPE, RETRIEVE
from remit.decision.call.request import ProposedCall, Resource
from remit.decision.documents.prefilter import Prefilter
from remit.decision.documents.sieve import Candidate, Sieve, Sifted
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.enforcement.mcp.mapping import meaning_of_method
from remit.enforcement.retrieval.shelf import Offered
from remit.identity.tools import Server
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.clock import Clock
from remit.kernel.ids import CallId, Entropy, PrincipalId, ServerId, mint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Who searches, and on which server: as the retrieval server has authenticated them."""

    subject: Entity
    server: str
    task: str = ""
    envelope: str = ""
    at_least: int | None = None


class RetrievalDesk:
    """One tenant's documents."""

    def __init__(
        self, *, sieve: Sieve, snapshots: Snapshots, issuer: str, clock: Clock, entropy: Entropy
    ) -> None:
        self._sieve = sieve
        self._snapshots = snapshots
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy
        self._subjects = Subjects()

    async def filter(
        self, search: Search, offered: Sequence[Offered], *, by: PrincipalId
    ) -> tuple[Sifted, ...]:
        """Which of the documents are given, in their order; a subject that may nothing is given nothing."""
        snapshot = await self._snapshots.catch_up(search.at_least)
        call = self.call_of(search, snapshot, by=by)
        return await self._sieve.sift(
            [_candidate(call, _server(search, snapshot), each) for each in offered], at_least=search.at_least
        )

    async def condition(self, search: Search, *, by: PrincipalId) -> Prefilter:
        """What can be searched by; what is found by it is filtered all the same."""
        snapshot = await self._snapshots.catch_up(search.at_least)
        return await self._sieve.prefilter(self.call_of(search, snapshot, by=by), at_least=search.at_least)

    def call_of(self, search: Search, snapshot: Snapshot, *, by: PrincipalId) -> ProposedCall:
        """The call that reading any document of the server is, without the document."""
        now, server = self._clock.now(), _server(search, snapshot)
        asked = Asked(
            subject=search.subject,
            action=f"{search.server}/{RETRIEVE}",
            resource=Entity(type=DOCUMENT_TYPE, id=""),
            task=search.task,
            envelope=search.envelope,
        )
        return ProposedCall(
            call=CallId(mint_id("call", at=now, entropy=self._entropy)),
            subject=self._subjects.of(asked, snapshot, server, issuer=self._issuer, at=now, by=by),
            server=server.id if server is not None else ServerId(""),
            method=RETRIEVE,
            action=asked.action,
            resource=Resource(type=DOCUMENT_TYPE, id="", tags=()),
            tool=None,
            arguments={},
            raw_arguments=b"",
            arguments_digest=sha256(b""),
            money=None,
            consequential=False,
            at=now,
            asked_by=by,
        )

    async def given(self, call: ProposedCall, offered: Sequence[Offered]) -> tuple[bool, ...]:
        """`Shelf`: the documents of a result that the gateway has in its hands."""
        server = self._snapshots.current().servers.get(call.server)
        name = server.name if server is not None else call.action.partition("/")[0]
        reading = replace(
            call,
            subject=replace(call.subject, proof=None),
            method=RETRIEVE,
            action=f"{name}/{RETRIEVE}",
            tool=None,
            money=None,
            consequential=False,
            at=self._clock.now(),
        )
        found = await self._sieve.sift([_candidate(reading, server, each) for each in offered])
        return tuple(each.given for each in found)

    async def listed(
        self, subject: VerifiedSubject, server: Server, addresses: Sequence[str], *, at: datetime
    ) -> tuple[bool, ...]:
        """`Shelf`: the resources that the caller could read, or be asked about."""
        calls = [self._reading(subject, server, each, at) for each in addresses]
        effects = await self._sieve.foresee([Candidate(call=each) for each in calls])
        return tuple(effect is not Effect.DENY for effect in effects)

    def _reading(self, subject: VerifiedSubject, server: Server, address: str, at: datetime) -> ProposedCall:
        meaning = meaning_of_method(server, "resources/read", {"uri": address})
        arguments: JsonObject = {"uri": address, **dataset_argument(server, address)}
        raw = msgspec.json.encode({"uri": address})
        return ProposedCall(
            call=CallId("listing"),
            subject=replace(subject, proof=None),
            server=server.id,
            method="resources/read",
            action=meaning.action,
            resource=meaning.resource,
            tool=None,
            arguments=arguments,
            raw_arguments=raw,
            arguments_digest=sha256(raw),
            money=None,
            consequential=False,
            at=at,
        )


def dataset_argument(server: Server, address: str) -> JsonObject:
    """The data set of a resource, as rights bound it; nothing where it is in none."""
    name = server.documents.dataset_of(address) if server.documents is not None else ""
    return {"dataset": name} if name else {}


def _server(search: Search, snapshot: Snapshot) -> Server | None:
    return next((each for each in snapshot.servers.values() if each.name == search.server), None)


def _candidate(call: ProposedCall, server: Server | None, offered: Offered) -> Candidate:
    """Reading one document: its data set stands among the arguments, where rights can bound it (R127)."""
    named = server.documents.dataset_tag if server is not None and server.documents is not None else "dataset"
    dataset = next((value for name, value in offered.tags if name == named), None)
    raw = msgspec.json.encode({"document": offered.id, "tags": dict(offered.tags)})
    resource = Resource(type=DOCUMENT_TYPE, id=offered.id, tags=offered.tags)
    arguments: JsonObject = {} if dataset is None else {"dataset": dataset}
    reading = replace(
        call, resource=resource, arguments=arguments, raw_arguments=raw, arguments_digest=sha256(raw)
    )
    return Candidate(call=reading, digest=offered.digest)
