"""The end of a connection: nothing opens it from then on, and the provider is told until it has confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from remit.authority.vault import facts
from remit.authority.vault.connection import Connection, ConnectionState
from remit.authority.vault.provider import ProviderKind
from remit.authority.vault.repository import Sealed, VaultTransaction
from remit.authority.vault.revocation import Outcome, Revocation, RevocationId, finished
from remit.authority.vault.sealing import Tokens, VaultSeal, place_of, revocation_place
from remit.kernel.ids import PrincipalId, UserId, mint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ender:
    """Ends connections inside an open transaction."""

    seal: VaultSeal

    def end(
        self, tx: VaultTransaction, held: Sealed, *, by: PrincipalId, because: str, at: datetime
    ) -> Connection:
        """End one; one that has ended stays as it was.

        INVARIANT: its end, the order to tell the provider, and the epoch move in one commit: a permit that
        was decided before opens nothing after it.
        """
        known = held.connection
        ended = replace(
            known, state=ConnectionState.ENDED, changed_at=at, ended_at=at, expires_at=None, because=because
        )
        if not tx.vault.save(ended, was=known.version):
            return known
        tx.advance_epoch(f"disconnected:{known.id}")
        detail = (("because", because),)
        facts.about_connection(
            tx, facts.CONNECTION_ENDED, ended, by=by, at=at, entropy=self.seal.entropy, detail=detail
        )
        if held.sealed is not None and known.state is ConnectionState.ACTIVE:
            self.order_end(tx, ended, self.seal.open(held.sealed, place_of(known)), at=at)
        return ended

    def order_end(
        self, tx: VaultTransaction, connection: Connection, tokens: Tokens, *, at: datetime
    ) -> None:
        """Have the provider end these credentials (RFC 7009): a job asks until it is confirmed."""
        provider = tx.vault.provider(connection.place.provider)
        if provider is None or provider.kind is ProviderKind.STATIC:
            return  # a static key ends at its issuer by hand; here it is gone
        order = self._order(connection, at=at)
        context = revocation_place(order.tenant, order.id)
        tx.vault.add_revocation(order, self.seal.close(tokens, context))
        if not provider.revocation_endpoint:
            done = finished(order, Outcome.NO_ENDPOINT, at=at)
            tx.vault.save_revocation(done, was=order.tries)
            facts.about_revocation(tx, facts.UPSTREAM_REVOKED, done, at=at, entropy=self.seal.entropy)

    def end_all(
        self,
        tx: VaultTransaction,
        *,
        users: Sequence[UserId] = (),
        agents: Sequence[PrincipalId] = (),
        by: PrincipalId,
        because: str,
        at: datetime,
    ) -> list[Connection]:
        """End every connection of these people, and every one through these agents."""
        found = [each for user in users for each in everything(tx, user=user)]
        found += everything(tx, agents=agents) if agents else []
        ended = []
        for ident in dict.fromkeys(each.id for each in found):
            held = tx.vault.get(ident)
            if held is not None:
                ended.append(self.end(tx, held, by=by, because=because, at=at))
        return ended

    def _order(self, connection: Connection, *, at: datetime) -> Revocation:
        return Revocation(
            id=RevocationId(mint_id("rvk", at=at, entropy=self.seal.entropy)),
            tenant=connection.tenant,
            connection=connection.id,
            place=connection.place,
            outcome=Outcome.OPEN,
            due=at,
            created_at=at,
        )


def everything(
    tx: VaultTransaction, *, user: UserId | None = None, agents: Sequence[PrincipalId] = ()
) -> list[Connection]:
    """Page through all connections that have not ended."""
    found: list[Connection] = []
    while True:
        after = found[-1].id if found else ""
        page = tx.vault.of(user=user, agents=agents, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


_PAGE = 200
