"""Device authorization (RFC 8628 §3.1): a device without a browser asks, and is told what to show.

1 the client proves itself, or says its name if it is public; a key that it shows, or names by `dpop_jkt`, is
the only one that its code can be fetched with   2 it may ask: registered for it, and not suspended after
people said no   3 the request is read and judged as at the authorization endpoint, before anybody is asked
4 it is kept for 10 minutes
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking import authorization_request
from remit.authority.oauth.asking import device as rules
from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.asking.device import DeviceRequest, DeviceState, MarkKind
from remit.authority.oauth.clients.registration import DEVICE, ClientRegistration
from remit.authority.oauth.consenting.desk import Desk
from remit.authority.oauth.issuing.callers import admit
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import TemporarilyUnavailable, UnauthorizedClient
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.polling import INTERVAL
from remit.authority.tokens import Proof
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import Entropy
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

PATH: Final = "/device_authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    who: Authenticated
    registration: ClientRegistration
    request: AuthorizationRequest
    proof: Proof | None


class DeviceAuthorizationEndpoint:
    """Keeps a device's request until a person comes with its code."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        options: OAuthOptions,
        entropy: Entropy,
        codes: Secret,
    ) -> None:
        self._uow = uow
        self._clients = clients
        self._possession = possession
        self._options = options
        self._desk = Desk(options=options)
        self._entropy = entropy
        self._codes = codes

    async def answer(self, asked: TokenRequest, *, place: str) -> JsonObject:
        """What the device shows and polls with (§3.2); `place` is where it asks from, as we see it.

        No `verification_uri_complete`: a link that carries the code is what a phisher would send (CB-11).
        """
        found = await self._uow.read(lambda tx: self._judge(tx, asked))
        device_code = opaque.make(opaque.DEVICE, self._entropy)
        user_code = await self._uow.commit(lambda tx: self._keep(tx, found, device_code, place, asked.at))
        return {
            "device_code": device_code,
            "user_code": rules.spell(user_code),
            "verification_uri": f"{self._options.issuer}/device",
            "expires_in": int(rules.LIFE.total_seconds()),
            "interval": int(INTERVAL.total_seconds()),
        }

    def _judge(self, tx: OAuthTransaction, asked: TokenRequest) -> _Asked:
        view = TransactionView(tx)
        who = self._clients.authenticate(
            asked.parameters,
            authorization=asked.authorization,
            view=view,
            at=asked.at,
            certificate=asked.certificate,
        )
        registration = who.registration
        if registration is None or DEVICE not in registration.grant_types:
            raise UnauthorizedClient(
                "this client is not registered for that grant", reason="grant_not_registered"
            )
        proof = self._possession.prove_at(PATH, asked, who)
        key = "" if proof is None else proof.key
        request = authorization_request.read_device_request(asked.parameters, registration, key=key)
        if self._desk.find(tx, request, registration, at=asked.at).agent is None:
            raise UnauthorizedClient("a device acts through an agent", reason="device_application")
        return _Asked(who=who, registration=registration, request=request, proof=proof)

    def _keep(self, tx: OAuthTransaction, asked: _Asked, device_code: str, place: str, at: datetime) -> str:
        admit(tx, asked.who, asked.proof, at=at)
        client = asked.registration.client_id
        self._require_welcome(tx, client, at)
        if tx.devices.crowded(client, share=rules.WAITING_SHARE, limit=rules.WAITING_LIMIT, at=at):
            raise TemporarilyUnavailable("too many devices wait for people", reason="device_limit")
        user_code = self._unused(tx)
        tx.devices.add(
            DeviceRequest(
                id=opaque.digest_of(device_code),
                tenant=asked.who.client.tenant,
                user_code=rules.user_code_digest(user_code, self._codes),
                request=asked.request,
                registration=asked.registration.digest,
                state=DeviceState.WAITING,
                place=place,
                begun_at=at,
                expires_at=at + rules.LIFE,
            )
        )
        return user_code

    def _unused(self, tx: OAuthTransaction) -> str:
        while True:
            code = rules.make_user_code(self._entropy)
            if tx.devices.by_user_code(rules.user_code_digest(code, self._codes)) is None:
                return code

    def _require_welcome(self, tx: OAuthTransaction, client: str, at: datetime) -> None:
        """A client that people keep saying no to may not go on asking (CB-01, CB-11)."""
        said_no = tx.devices.marks(MarkKind.DENIED, who=client, at=at, limit=rules.DENIALS)
        if len(said_no) >= rules.DENIALS:
            raise UnauthorizedClient(
                f"people said no to this client {rules.DENIALS} times; it may ask again later",
                reason="device_suspended",
            )
