"""The ways over the border, put together: what can be asked for elsewhere, and what is taken from there."""

from dataclasses import dataclass
from typing import Self

from remit.authority.oauth.domains.beginning import Beginning
from remit.authority.oauth.domains.inbound import Arrivals, KeysBrought
from remit.authority.oauth.domains.outbound import ChainedGrants, IdentityAssertions
from remit.authority.oauth.domains.transaction import TransactionTokens
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.repository import OAuthTransaction, SigningKeys
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.task_service import TaskService
from remit.kernel.ids import Entropy
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What the token endpoint needs of it; nothing where the settings leave it out."""

    arrivals: Arrivals | None = None
    departures: tuple[ChainedGrants | IdentityAssertions, ...] = ()
    transactions: TransactionTokens | None = None

    @classmethod
    def open(
        cls,
        *,
        options: OAuthOptions,
        uow: UnitOfWork[OAuthTransaction],
        mint: Mint,
        signing: SigningKeys,
        keys: KeysBrought | None,
        tasks: TaskService | None,
        entropy: Entropy,
    ) -> Self:
        """Bind the parts. Grants are taken only where tasks can begin and keys can be had."""
        transactions = (
            TransactionTokens(mint=mint, options=options, keys=signing, entropy=entropy)
            if options.transactions
            else None
        )
        if not options.domains:
            return cls(transactions=transactions)
        departures = (
            ChainedGrants(mint=mint, options=options, keys=signing, entropy=entropy),
            IdentityAssertions(mint=mint, options=options, keys=signing, entropy=entropy),
        )
        if keys is None or tasks is None:
            return cls(departures=departures, transactions=transactions)
        arrivals = Arrivals(
            uow=uow,
            mint=mint,
            options=options,
            keys=keys,
            beginning=Beginning(tasks=tasks, entropy=entropy),
        )
        return cls(arrivals=arrivals, departures=departures, transactions=transactions)
