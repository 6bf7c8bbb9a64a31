"""The door of the API: token, proof, and the caller's roles as they are now, in one unit of work."""

from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request

from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import InvalidToken, ProofRefused
from remit.authority.tokens import Proof, VerifiedSubject
from remit.decision.administration.current import in_force
from remit.decision.administration.repository import ReadsRoles
from remit.identity.principals import Kind, Principal
from remit.kernel.building import changer
from remit.kernel.ids import PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork
from remit.surface.web.caller import Caller
from remit.surface.web.certificates import thumbprint_of

_ROLES: Final = "roles"
_without_proof = changer(VerifiedSubject, "proof", Proof)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows of its caller: credentials, and what a proof must be about."""

    authorization: str
    proofs: list[str]
    method: str
    path: str
    certificate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Who was let in, and for what."""

    principal: PrincipalId
    scopes: frozenset[str]


class ReplayGuard(Protocol):
    """Proofs of possession, each good once."""

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        """Remember the proof; False if it was there already."""


class Directory(Protocol):
    """Who the caller is."""

    def get(self, ident: PrincipalId) -> Principal | None:
        """One principal."""


class DoorTransaction(ReadsRoles, Protocol):
    """The transaction that the door works in."""

    @property
    def replay(self) -> ReplayGuard:
        """One-time proofs."""

    @property
    def principals(self) -> Directory:
        """The directory."""


class Door:
    """Admits whoever has a live token for the API and proves its key, once per proof.

    INVARIANT: a person is who authenticated for the token and has no chain; a delegated token names a user
    too, and is never that user (api tokens of agents carry `remit.act` alone).
    """

    def __init__(
        self, *, verifier: AccessTokenVerifier, uow: UnitOfWork[DoorTransaction], issuer: str
    ) -> None:
        self._verifier = verifier
        self._uow = uow
        self._issuer = issuer

    async def admit(self, request: Request) -> Caller:
        """Verify token, audience and proof; burn the proof; look up who this is.

        Raises an `OAuthError` of kind `unauthenticated`.
        """
        shown = Shown(
            authorization=request.headers.get("authorization", ""),
            proofs=request.headers.getlist("dpop"),
            method=request.method,
            path=request.url.path,
            certificate=thumbprint_of(request),
        )
        subject = await self._verified(shown)
        principal, policy = await self._uow.commit(lambda tx: (_enter(tx, subject), in_force(tx)))
        person = principal.kind is Kind.HUMAN and not subject.chain
        return Caller(
            tenant=subject.tenant,
            principal=principal.id,
            person=person,
            roles=frozenset(dict(principal.attributes).get(_ROLES, "").split()) if person else frozenset(),
            scopes=subject.scopes,
            subject=subject if subject.proof is None else _without_proof(subject, None),
            policy=policy,
            name=principal.name,
        )

    async def enter(self, shown: Shown) -> Entered:
        """The same for one who only asks for decisions: roles and administration are nothing to it."""
        subject = await self._verified(shown)
        principal = self._known(subject)
        if principal is None:
            principal = await self._uow.commit(lambda tx: _enter(tx, subject))
        return Entered(principal=principal.id, scopes=subject.scopes)

    async def _verified(self, shown: Shown) -> VerifiedSubject:
        return await self._verifier.verify_now(
            shown.authorization,
            shown.proofs,
            shown.method,
            f"{self._issuer}{shown.path}",
            f"{self._issuer}/api",
            certificate=shown.certificate,
        )

    def _known(self, subject: VerifiedSubject) -> Principal | None:
        """Who shows a token without a proof, on the view that the token was just judged on.

        INVARIANT: there is nothing to burn.
        """
        return None if subject.proof is not None else self._verifier.client_of(subject)


def _enter(tx: DoorTransaction, subject: VerifiedSubject) -> Principal:
    if subject.proof is not None and not tx.replay.burn(subject.tenant, subject.proof):
        raise ProofRefused("this proof was used before", reason="proof_replayed")
    principal = tx.principals.get(subject.client)
    if principal is None:
        raise InvalidToken("the token's client is not in the directory", reason="client_unknown")
    return principal
