"""Keeping issuers' keys: fetched when they are old or a `kid` is new, at most once a minute per issuer.

A fetch that fails, or brings what can't be believed, changes nothing: the last good set stays, until it is
a day old (`assertion.STALE`).
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.identity.federation import records
from remit.identity.federation.assertion import Form, peek
from remit.identity.federation.errors import AssertionRejected, IssuerUnfit, KeysUnfit, KeysUnreachable
from remit.identity.federation.keysets import SET_LIMITS, check_successor, read_keys
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import check_transport
from remit.identity.federation.repository import FederationTransaction
from remit.identity.federation.service import issuer_of, living
from remit.identity.federation.trust import IssuerId, KeySet, KeySource, TrustedIssuer
from remit.identity.federation.x509_clients import issuer_of_svid
from remit.kernel.canonical import parse_object
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork

PAUSE: Final = timedelta(minutes=1)
"""Between two questions to one issuer, over all nodes (JW-22)."""
_SYSTEM: Final = PrincipalId("system")


class Fetcher(Protocol):
    """Gets a small JSON document from a public address; `platform` keeps the guard at the door."""

    async def fetch(self, address: str) -> bytes:
        """The body of a 200, at most 64 KiB, within 3 s, no redirect. Raises a `RemitError`."""


class KeyRefresher:
    """Brings keys of issuers up to date before an assertion is judged."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[FederationTransaction],
        fetcher: Fetcher,
        entropy: Entropy,
        tenant: TenantId,
        plain_loopback: bool = False,
        metadata: Fetcher | None = None,
    ) -> None:
        self._uow = uow
        self._fetcher = fetcher
        self._entropy = entropy
        self._tenant = tenant
        self._plain_loopback = plain_loopback
        self._metadata = metadata or fetcher
        self._running: dict[IssuerId, asyncio.Task[None]] = {}  # OWNED BY: the event loop

    async def prepare(self, text: str, *, at: datetime, form: Form = Form.JWT) -> None:
        """Have the keys that an assertion needs, if they can be had; whether it is good is asked later."""

        def work(tx: FederationTransaction) -> TrustedIssuer | None:
            try:
                issuer = issuer_of(tx, text, form)
                return issuer if _is_wanting(issuer, tx.issuer_keys.get(issuer.id), text, at) else None
            except AssertionRejected:
                return None  # no issuer of ours: nothing is fetched for it, and the judge says why

        issuer = await self._uow.read(work)
        if issuer is not None:
            await self._once(issuer, at)

    async def renew(self, shown: PresentedCertificate, *, at: datetime) -> None:
        """Have the bundle of the trust domain that a certificate claims, if it is one of ours and due."""

        def work(tx: FederationTransaction) -> TrustedIssuer | None:
            try:
                issuer = issuer_of_svid(tx, shown)
            except AssertionRejected:
                return None  # as in `prepare`
            return issuer if _is_due(issuer, tx.issuer_keys.get(issuer.id), at) else None

        issuer = await self._uow.read(work)
        if issuer is not None:
            await self._once(issuer, at)

    async def bring(self, text: str, issuer: TrustedIssuer, *, at: datetime) -> None:
        """As `prepare`, for an issuer that another rule than this one's chose."""
        keys = await self._uow.read(lambda tx: tx.issuer_keys.get(issuer.id))
        if _is_wanting(issuer, keys, text, at):
            await self._once(issuer, at)

    async def refresh(self, ident: str, *, at: datetime) -> KeySet:
        """Ask an issuer now, on an administrator's word. Raises `KeysUnreachable` or `KeysUnfit`."""
        issuer = await self._uow.read(lambda tx: living(tx, ident))
        if issuer.source is KeySource.PINNED:
            raise IssuerUnfit(f"keys of `{issuer.name}` are pinned: nothing is fetched")
        if not await self._claimed(issuer, at):
            raise KeysUnreachable("this issuer was asked less than a minute ago", next_step="wait a minute")
        return await self._store(issuer, await self._fetch(issuer), at)

    async def _once(self, issuer: TrustedIssuer, at: datetime) -> None:
        """One question at a time on this node: who comes meanwhile waits for the same answer."""
        running = self._running.get(issuer.id)
        if running is None:
            running = asyncio.create_task(self._attempt(issuer, at))
            self._running[issuer.id] = running
            running.add_done_callback(lambda _: self._running.pop(issuer.id, None))
        await asyncio.shield(running)

    async def _attempt(self, issuer: TrustedIssuer, at: datetime) -> None:
        if not await self._claimed(issuer, at):
            return
        try:
            await self._store(issuer, await self._fetch(issuer), at)
        except (KeysUnreachable, KeysUnfit):
            return  # the last good set stays; what it does not hold is refused by the judge, with its reason

    async def _claimed(self, issuer: TrustedIssuer, at: datetime) -> bool:
        return await self._uow.commit(
            lambda tx: tx.issuer_keys.claim(issuer.id, at=at, unless_after=at - PAUSE)
        )

    async def _fetch(self, issuer: TrustedIssuer) -> bytes:
        try:
            if issuer.profile is ProfileName.SAML:
                return await self._metadata.fetch(issuer.address)
            raw = await self._fetcher.fetch(issuer.address)
            if issuer.source is not KeySource.DISCOVERY:
                return raw
            return await self._fetcher.fetch(self._discovered(raw, issuer))
        except KeysUnfit:
            raise
        except RemitError as failed:
            raise KeysUnreachable(
                f"keys of `{issuer.name}` can't be had: {failed.hint}", debug=failed.debug
            ) from failed

    def _discovered(self, raw: bytes, issuer: TrustedIssuer) -> str:
        """Where the keys are, by a document that names the very issuer that was asked (AS-14)."""
        try:
            document = parse_object(raw, limits=SET_LIMITS)
        except RemitError as broken:
            raise KeysUnfit(f"discovery document can't be read: {broken.hint}") from broken
        if document.get("issuer") != issuer.issuer:
            raise KeysUnfit(f"discovery document is of another issuer than `{issuer.issuer}`")
        address = document.get("jwks_uri")
        if not isinstance(address, str):
            raise KeysUnfit("discovery document names no `jwks_uri`")
        check_transport(address, plain_loopback=self._plain_loopback)
        return address

    async def _store(self, issuer: TrustedIssuer, raw: bytes, at: datetime) -> KeySet:
        new = read_keys(raw, issuer.kind, issuer=issuer.id, at=at, entity=issuer.issuer)

        def work(tx: FederationTransaction) -> None:
            known = tx.issuer_keys.get(issuer.id)
            check_successor(new, known)
            if not tx.issuer_keys.put(new):
                raise KeysUnfit("a newer bundle was stored meanwhile")
            if known is None or (known.keys, known.authorities) != (new.keys, new.authorities):
                self._record(tx, issuer, new, at)

        await self._uow.commit(work)
        return new

    def _record(self, tx: FederationTransaction, issuer: TrustedIssuer, new: KeySet, at: datetime) -> None:
        detail = (*records.about_issuer(issuer), ("kids", " ".join(key.kid for key in new.keys)[:1024]))
        records.state(
            tx,
            records.KEYS_CHANGED,
            tenant=self._tenant,
            subject=issuer.id,
            by=_SYSTEM,
            at=at,
            entropy=self._entropy,
            detail=detail,
        )


def _is_wanting(issuer: TrustedIssuer, keys: KeySet | None, text: str, at: datetime) -> bool:
    """Whether a set must be fetched: there is none, it is old, or it lacks the `kid` that is asked for."""
    if issuer.source is KeySource.PINNED:
        return False
    if keys is None or _is_due(issuer, keys, at):
        return True
    if issuer.profile is ProfileName.SAML:
        return False  # a signature names no key that we would look at
    kid = peek(text).kid
    return bool(kid) and keys.named(kid) is None


def _is_due(issuer: TrustedIssuer, keys: KeySet | None, at: datetime) -> bool:
    """Whether a set must be fetched whatever is asked of it: there is none, or it is old."""
    return issuer.source is not KeySource.PINNED and (keys is None or at >= keys.refresh_at)
