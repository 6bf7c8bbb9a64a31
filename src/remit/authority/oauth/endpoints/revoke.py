"""Revocation (RFC 7009): a client takes back a token of its own, and all that was exchanged from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking.families import Family
from remit.authority.oauth.consenting.endings import end_family
from remit.authority.oauth.issuing import records
from remit.authority.oauth.issuing.callers import admit
from remit.authority.oauth.issuing.renewing import refresh_of
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.presented import read_presented
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import InvalidRequest, UnsupportedTokenType
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.ids import Entropy
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts

TOMBSTONE_KIND: Final = "token"
_ENVELOPE_MARK: Final = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    caller: Authenticated
    token: AccessToken | None
    family: Family | None = None
    """What a refresh token renews; it ends whole (RFC 7009 §2.1)."""


class RevocationEndpoint:
    """Ends tokens. A token that is unknown, dead or another client's gets the same answer as success."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        keys: KeyLookup,
        options: OAuthOptions,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._clients = clients
        self._keys = keys
        self._options = options
        self._entropy = entropy

    async def answer(
        self,
        parameters: Parameters,
        *,
        authorization: str,
        at: datetime,
        certificate: PresentedCertificate | None = None,
    ) -> None:
        """Return once the end is durable; `token_type_hint` is read by nobody (§2.1: it is only a hint)."""
        if not parameters.get("token"):
            raise InvalidRequest("parameter `token` is missing", reason="parameter_missing")
        wanted = await self._uow.read(
            lambda tx: self._judge(
                tx, parameters, authorization=authorization, at=at, certificate=certificate
            )
        )
        await self._uow.commit(lambda tx: self._revoke(tx, wanted, at=at))

    def _judge(
        self,
        tx: OAuthTransaction,
        parameters: Parameters,
        *,
        authorization: str,
        at: datetime,
        certificate: PresentedCertificate | None,
    ) -> _Wanted:
        view = TransactionView(tx)
        caller = self._clients.authenticate(
            parameters, authorization=authorization, view=view, at=at, certificate=certificate
        )
        text = parameters.get("token")
        if _ENVELOPE_MARK in text:
            raise UnsupportedTokenType(
                "an envelope is ended with its task", next_step="remit task end <task>", reason="envelope"
            )
        if (refresh := refresh_of(tx, text, caller.client)) is not None:
            return _Wanted(caller=caller, token=None, family=refresh.family)
        token = read_presented(text, keys=self._keys, options=self._options, view=view, at=at)
        return _Wanted(caller=caller, token=token)

    def _revoke(self, tx: OAuthTransaction, wanted: _Wanted, *, at: datetime) -> None:
        admit(tx, wanted.caller, at=at)
        token, by = wanted.token, wanted.caller.client.id
        if wanted.family is not None:
            end_family(tx, wanted.family.id, cause="revoked", by=by, at=at, entropy=self._entropy)
        if token is None or token.client != wanted.caller.client.id or not tx.tokens.revoke(token.id):
            return
        # INVARIANT: descendants name it among their ancestors, so this one tombstone ends them all.
        epoch = tx.advance_epoch("token_revoked")
        tx.lineage.bury(TOMBSTONE_KIND, token.id, cause="revoked", epoch=epoch, at=at)
        tx.touch("tombstone", token.id)
        record = records.revoked(token, by=by, epoch=epoch, at=at, entropy=self._entropy)
        facts.state(tx, record, entropy=self._entropy, subject=token.id, detail=())
