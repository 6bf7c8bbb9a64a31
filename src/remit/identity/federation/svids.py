"""JWT-SVIDs that we issue to our own instances, and the bundle by which others verify them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from remit.identity.federation import records
from remit.identity.federation.errors import NotAnInstance
from remit.identity.federation.repository import FederationTransaction
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.service import known
from remit.identity.spiffe import spiffe_id
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy, InstanceId, PrincipalId, TenantId
from remit.kernel.jose import jws
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, Signer
from remit.kernel.uow import UnitOfWork

LIFE: Final = timedelta(minutes=5)
REFRESH_HINT: Final = 300
"""Seconds after which a reader of the bundle asks again; keys are published an hour before their use."""
MOST_AUDIENCES: Final = 8
_RANK: Final = {
    KeyState.PENDING: 1,
    KeyState.ACTIVE: 2,
    KeyState.VERIFY_ONLY: 3,
    KeyState.RETIRED: 4,
    KeyState.COMPROMISED: 5,
}
_SHOWN: Final = frozenset({KeyState.PENDING, KeyState.ACTIVE, KeyState.VERIFY_ONLY})


class AudienceUnfit(Invalid):
    """An SVID needs one to eight audiences, each a printable text."""

    code = "svid_audience_unfit"


class SvidKeys(Protocol):
    """Our keys, as far as SVIDs go."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The key to sign with now."""

    def records(self) -> Sequence[KeyRecord]:
        """Every key there ever was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedSvid:
    """An SVID and whose it is; it is kept nowhere."""

    text: str
    subject: str
    expires_at: datetime


class SvidService:
    """Gives an instance its own name in a form that any SPIFFE workload verifies."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[FederationTransaction],
        keys: SvidKeys,
        trust_domain: str,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._trust_domain = trust_domain
        self._entropy = entropy
        self._tenant = tenant

    async def issue(
        self, instance: PrincipalId, audiences: Sequence[str], *, key: str, at: datetime
    ) -> IssuedSvid:
        """Sign for the instance itself; `key` is the thumbprint by which it proved itself just now.

        It ends no later than that key. Raises `NotAnInstance` or `AudienceUnfit`.
        """
        check_audiences(audiences)

        def work(tx: FederationTransaction) -> tuple[str, datetime]:
            entry = known(tx, instance)
            agent = None if entry.parent is None else tx.principals.get(entry.parent)
            if entry.kind is not Kind.INSTANCE or entry.state is not State.ACTIVE or agent is None:
                raise NotAnInstance("only a living instance has an SVID", next_step="remit agent show")
            credential = tx.credentials.by_thumbprint(key)
            end = at + LIFE
            if credential is not None and credential.not_after is not None:
                end = min(end, credential.not_after)
            subject = spiffe_id(self._trust_domain, agent.name, InstanceId(entry.id))
            self._record(tx, entry, agent, audiences, end, at)
            return subject, end.replace(microsecond=0)

        subject, end = await self._uow.commit(work)
        text = sign_svid(
            subject, audiences, signer=self._keys.signer(KeyClass.JWT_SVID), at=at, expires_at=end
        )
        return IssuedSvid(text=text, subject=subject, expires_at=end)

    def bundle(self) -> JsonObject:
        """What others verify our SVIDs with."""
        return bundle_of(self._keys.records())

    def _record(
        self,
        tx: FederationTransaction,
        entry: Principal,
        agent: Principal,
        audiences: Sequence[str],
        end: datetime,
        at: datetime,
    ) -> None:
        records.state(
            tx,
            records.SVID_ISSUED,
            tenant=self._tenant,
            subject=entry.id,
            agent=agent.id,
            by=entry.id,
            at=at,
            entropy=self._entropy,
            detail=(("audience", " ".join(audiences)), ("ends_at", end.isoformat())),
        )


def sign_svid(
    subject: str, audiences: Sequence[str], *, signer: Signer, at: datetime, expires_at: datetime
) -> str:
    """Sign `sub`, `aud`, `iat`, `exp` under a header of `alg`, `kid`, `typ` alone (JWT-SVID §2, §3)."""
    signer.require(KeyClass.JWT_SVID)
    audience: Json = audiences[0] if len(audiences) == 1 else [*audiences]
    claims: JsonObject = {
        "sub": subject,
        "aud": audience,
        "iat": int(at.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return jws.sign({"kid": signer.kid, "typ": "JWT"}, msgspec.json.encode(claims), signer.private)


def bundle_of(keys: Iterable[KeyRecord]) -> JsonObject:
    """Write the SPIFFE bundle (Trust Domain and Bundle §4): authorities with `use` `jwt-svid`, no `alg`.

    INVARIANT: `spiffe_sequence` grows with every change of what is shown. A key's state only moves on and
    its record is never dropped, so the sum of ranks over all keys does that, on every node alike.
    """
    ours = [each for each in keys if each.key_class is KeyClass.JWT_SVID]
    return {
        "keys": [
            {**each.public.jwk(), "kid": each.kid, "use": "jwt-svid"}
            for each in sorted(ours, key=lambda each: each.kid)
            if each.state in _SHOWN
        ],
        "spiffe_sequence": sum(_RANK[each.state] for each in ours),
        "spiffe_refresh_hint": REFRESH_HINT,
    }


def check_audiences(audiences: Sequence[str]) -> None:
    """Refuse none, too many, or what is no printable text. Raises `AudienceUnfit`."""
    fit = all(0 < len(each) <= 2048 and each.isprintable() for each in audiences)  # noqa: PLR2004 — as a URL
    if not 0 < len(audiences) <= MOST_AUDIENCES or not fit:
        raise AudienceUnfit(f"{len(audiences)} audiences were asked, the limits are 1 and {MOST_AUDIENCES}")
