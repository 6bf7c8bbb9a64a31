"""Authorization servers that lack one defence each, for `World(build=…)`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remit.authority.oauth.endpoints.authorize import AuthorizationEndpoint
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.presented import audience_of, read_access_token
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.tokens import Proof
from remit.kernel.ids import AgentId, TenantId, UserId
from remit.kernel.jose.keys import KeyClass, KeyLookup, KeyRecord
from support.authorizing import with_codes
from support.oauth import building


class TakesAnyHolder(TokenExchange):
    """DP-08, DP-10: whoever holds a token may use it, with whatever key or none."""

    def _actor(self, asking: Asking) -> AccessToken | None:
        text = asking.request.parameters.get("actor_token")
        return self._read(text, self._options.api, asking) if text else None

    def _require_named(self, named: AgentId, asking: Asking) -> None:
        return

    def _read(self, text: str, audience: str, asking: Asking) -> AccessToken:
        resource = audience or audience_of(text, self._options, asking.view)
        token, _ = read_access_token(text, keys=self._keys, audience=resource, at=asking.request.at)
        return token


class ForgetsAncestors(TokenExchange):
    """TX-07: nobody counts how often a token has been exchanged."""

    def _from_token(self, text: str, asking: Asking, actor: AccessToken | None) -> Any:
        found = super()._from_token(text, asking, actor)
        return replace(found, delegated=replace(found.delegated, ancestors=found.delegated.ancestors[-1:]))

    def _read(self, text: str, audience: str, asking: Asking) -> AccessToken:
        return replace(super()._read(text, audience, asking), ancestors=())


class BurnsForAnybody(PossessionCheck):
    """DP-11: every proof is remembered, whoever made it."""

    def prove(self, proofs: Any, *, at: Any, generation: int, **_: Any) -> Proof:
        found = self._verify(proofs[0], self._options.token_endpoint, at, generation)
        return Proof(key=found.thumbprint, jti=found.jti, keep_until=found.keep_until)


class Federated:
    """TX-06: the keys of another authorization server are as good as ours, under our own name."""

    def __init__(self, ours: Any, theirs: KeyRecord) -> None:
        self._ours, self._theirs = ours, theirs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours, name)

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        if kid == self._theirs.kid and key_class is self._theirs.key_class:
            return replace(self._theirs, tenant=TenantId("default"))
        found: KeyRecord | None = self._ours.find(kid, key_class)
        return found


def federated_with(theirs: KeyRecord) -> Callable[..., OAuth]:
    """Builds such a server."""

    def build(**parts: Any) -> OAuth:
        keys: KeyLookup = Federated(parts["keys"], theirs)
        return building()(**{**parts, "keys": keys})

    return build


class AnyYesWillDo(AuthorizationEndpoint):
    """OA-26: whoever once said yes to a client has said yes to whatever it asks."""

    def _said_before(self, tx: Any, pending: Any, offer: Any, registration: Any, session: Any) -> bool:
        return bool(tx.sign_ons.standing(UserId(session.human), registration.client_id))


class AnyResponseType(AuthorizationEndpoint):
    """OA-11: whatever kind of answer is asked for, the request goes on."""

    def _begin(self, tx: Any, parameters: Parameters, at: Any) -> Any:
        kept = {name: value for name, value in parameters.values.items() if name != "response_mode"}
        return super()._begin(tx, Parameters(values={**kept, "response_type": ("code",)}), at)


def asking(kind: type[AuthorizationEndpoint]) -> Callable[..., OAuth]:
    """Builds a server with that authorization endpoint."""

    def build(**parts: Any) -> OAuth:
        oauth = with_codes(**parts)
        assert oauth.code_flow is not None
        names = ("uow", "options", "tenant", "keys", "entropy")
        lax = kind(directory=oauth.directory, **{name: parts[name] for name in names})
        return replace(oauth, code_flow=replace(oauth.code_flow, authorization=lax))

    return build
