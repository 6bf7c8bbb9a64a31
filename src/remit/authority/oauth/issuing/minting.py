"""What all grants share when they draw up a token: its name, its life, its key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.authority.oauth.clients.client import Binding
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import AccessDenied, InvalidRequest, InvalidTarget
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target, parse_resource, target_of
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.rights import Ceiling
from remit.authority.verify import VerifiedEnvelope
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.building import builder
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy, EnvelopeId, PrincipalId, TaskId, TokenId, UserId, mint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """What only an exchanged token carries: on whose behalf, for which task, through whom, within what."""

    subject: str
    user: UserId | None
    task: TaskId
    chain: tuple[str, ...]
    ceiling: Ceiling
    envelope: Digest
    envelopes: tuple[EnvelopeId, ...]
    ancestors: tuple[TokenId, ...]
    ends: tuple[datetime, ...]
    """When each thing it stands on ends: the token ends no later than any of them."""
    before: str = ""
    """Who acted in another domain before the chain came here; history alone."""
    companions: tuple[UserId, ...] = ()
    """Who else the task is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a verified subject token gives at most; `text` is the envelope's own, if it is one."""

    delegated: Delegated
    scopes: frozenset[Scope]
    envelope: VerifiedEnvelope | None
    text: str = ""


class Subjects(Protocol):
    """Finds out what a request to exchange shows: verified, alive, its client's own."""

    def subject(self, asking: Asking) -> Subject:
        """The verified subject token, or an `OAuthError`."""


_token = builder(AccessToken)


class Mint:
    """Draws up tokens; signs nothing."""

    def __init__(self, *, options: OAuthOptions, entropy: Entropy) -> None:
        self._options = options
        self._entropy = entropy

    def target(self, asking: Asking) -> Target:
        """The one resource that is asked for; none asked means the API (RFC 8707 §2).

        Raises `InvalidTarget` for several, for one that is not ours, and for a server that does not exist.
        """
        parameters = asking.request.parameters
        if parameters.only("audience"):
            raise InvalidTarget("name the target by `resource` (RFC 8707), not by `audience`")
        asked = parameters.only("resource")
        if not asked:
            return Target(resource=self._options.api)
        target = target_of(parse_resource(asked), self._options)
        if target.server:
            self._check_server(target.server, asking)
        return target

    def held(self, asking: Asking, resource: str) -> Target:
        """The resource that a code or refresh token is for; asking for another is refused (RFC 8707 §2.2)."""
        asked = asking.request.parameters.only("resource")
        if resource == self._options.userinfo:
            if asked not in {"", resource}:
                raise InvalidTarget("that resource was not granted", reason="target_widened")
            return Target(resource=resource)
        if asked and target_of(parse_resource(asked), self._options).resource != resource:
            raise InvalidTarget("that resource was not granted", reason="target_widened")
        target = target_of(parse_resource(resource), self._options)
        if target.server:
            self._check_server(target.server, asking)
        return target

    def token(
        self,
        asking: Asking,
        target: Target,
        scopes: frozenset[str],
        *,
        delegated: Delegated | None,
    ) -> AccessToken:
        """Draw up a token; `delegated` is None for a client's own."""
        who, at = asking.who, asking.request.at
        client = who.client
        own_user = UserId(client.id) if client.kind is Kind.HUMAN else None
        return _token(
            id=TokenId(mint_id("tok", at=at, entropy=self._entropy)),
            tenant=client.tenant,
            issuer=self._options.issuer,
            subject=client.subject if delegated is None else delegated.subject,
            client=client.id,
            audience=target.resource,
            scopes=frozenset(map(str, scopes)),
            key="" if asking.proof is None else asking.proof.key,
            credential=who.credential,
            agent=client.agent,
            user=own_user if delegated is None else delegated.user,
            task=None if delegated is None else delegated.task,
            chain=() if delegated is None else delegated.chain,
            ceiling=None if delegated is None else delegated.ceiling,
            envelope=None if delegated is None else delegated.envelope,
            envelopes=() if delegated is None else delegated.envelopes,
            ancestors=() if delegated is None else delegated.ancestors,
            before="" if delegated is None else delegated.before,
            companions=() if delegated is None else delegated.companions,
            certificate=_certificate(asking),
            generation=asking.request.generation,
            issued_at=at.replace(microsecond=0),
            expires_at=self._end(asking, who, delegated),
        )

    def _end(self, asking: Asking, who: Authenticated, delegated: Delegated | None) -> datetime:
        life = self._options.access_token_life
        if asking.proof is None and not _certificate(asking):
            life = min(life, self._options.bearer_token_life)
        at = asking.request.at
        ends = (at + life, *(delegated.ends if delegated is not None else ()), *_key_end(who))
        # Whole seconds, downwards: a child never outlives what it stands on, not even by a fraction.
        end = min(ends).replace(microsecond=0)
        if end <= at:
            raise AccessDenied("what was shown has run out", reason="parent_expired")
        return end

    def _check_server(self, name: str, asking: Asking) -> None:
        """The server is in service, and lies in the client's own environment (TX-11)."""
        server = asking.view.server_named(name)
        entry = None if server is None else asking.view.principal(PrincipalId(server.id))
        # A server that was retired looks the same as one that never was.
        if server is None or entry is None or entry.state is not State.ACTIVE:
            raise InvalidTarget("no such server", reason="target_unknown")
        client = asking.who.client
        if client.environment is not entry.environment and client.kind is not Kind.HUMAN:
            raise AccessDenied(
                f"`{client.environment}` may not act in `{entry.environment}`", reason="environment_crossed"
            )


def _certificate(asking: Asking) -> str:
    """The certificate to bind to (RFC 8705 §3), where the client is registered for that."""
    if asking.who.client.binding is not Binding.CERTIFICATE:
        return ""
    if asking.request.certificate is None:
        raise InvalidRequest("this client's tokens are bound to its certificate; none was shown")
    return asking.request.certificate.thumbprint


def _key_end(who: Authenticated) -> tuple[datetime, ...]:
    """A registered key that ends takes what it earned with it."""
    for known in who.client.credentials:
        if known.id == who.credential:
            return () if known.not_after is None else (known.not_after,)
    return ()
