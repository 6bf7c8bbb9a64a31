"""Authorization servers that ask people and lack one defence each, for `AuthorizingWorld(build=…)`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from remit.authority.oauth.asking.authorization_request import Returning, answer_of, read_request
from remit.authority.oauth.asking.codes import AuthorizationCode
from remit.authority.oauth.clients.registration import CODE, ClientRegistration
from remit.authority.oauth.endpoints.authorize import AuthorizationEndpoint, Away, Page
from remit.authority.oauth.grants.authorization_code import AuthorizationCodeGrant
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oauth.wire.pkce import challenge_of
from support.authorizing import VERIFIER, with_codes
from twins.memory import ForgetfulWork


class _Registered(tuple[str, ...]):
    """Redirect URIs that are compared by something less than all their bytes."""

    __slots__ = ()
    alike: Callable[[str, str], bool]

    def __contains__(self, uri: object) -> bool:
        return any(type(self).alike(str(uri), known) for known in self)


class _Prefixes(_Registered):
    __slots__ = ()

    @staticmethod
    def alike(uri: str, known: str) -> bool:
        return uri.startswith(known)


class _Hosts(_Registered):
    """Looks for the registered host somewhere in the address."""

    __slots__ = ()

    @staticmethod
    def alike(uri: str, known: str) -> bool:
        return known.split("/")[2] in uri


class _Clients:
    def __init__(self, inner: Any, kind: type[_Registered]) -> None:
        self._inner, self._kind = inner, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, client_id: str) -> ClientRegistration | None:
        found = self._inner.get(client_id)
        return None if found is None else replace(found, redirect_uris=self._kind(found.redirect_uris))


def _comparing(kind: type[_Registered]) -> Callable[..., OAuth]:
    def build(**parts: Any) -> OAuth:
        work: Any = ForgetfulWork(parts["uow"], registrations=lambda inner: _Clients(inner, kind))
        return with_codes(**{**parts, "uow": work})

    return build


by_prefix = _comparing(_Prefixes)
"""OA-01: an answer goes wherever an address begins as a registered one does."""
by_host = _comparing(_Hosts)
"""OA-02: an answer goes wherever the registered host stands in an address."""


class _Forwarding(AuthorizationEndpoint):
    """OA-03: says what is wrong with a request to whatever address it names."""

    def _begin(self, tx: Any, parameters: Parameters, at: datetime) -> Away | Page:
        registration = tx.registrations.get(parameters.need("client_id"))
        where = Returning(
            client_id=registration.client_id,
            redirect_uri=parameters.get("redirect_uri"),
            redirect_stated=True,
            state="",
        )
        try:
            read_request(parameters, where, registration, pushed=False)
        except OAuthError as refused:
            return Away(url=answer_of(refused, where, issuer=self._options.issuer))
        return super()._begin(tx, parameters, at)


class _Optional(AuthorizationEndpoint):
    """OA-04: a request without a challenge is one without proof."""

    def _begin(self, tx: Any, parameters: Parameters, at: datetime) -> Away | Page:
        none = {"code_challenge": (challenge_of(VERIFIER),), "code_challenge_method": ("S256",)}
        return super()._begin(tx, Parameters(values={**none, **parameters.values}), at)


class _Unproven(AuthorizationCodeGrant):
    """OA-04, at the other end: a code of such a request needs no verifier."""

    def _code(self, asking: Asking, registration: ClientRegistration) -> AuthorizationCode:
        given = Parameters(values={"code_verifier": (VERIFIER,), **asking.request.parameters.values})
        return super()._code(replace(asking, request=replace(asking.request, parameters=given)), registration)


def forwarding(**parts: Any) -> OAuth:
    """A server with the first of them."""
    return _with_endpoint(_Forwarding, **parts)


def without_proof(**parts: Any) -> OAuth:
    """A server to which PKCE is optional."""
    whole = _with_endpoint(_Optional, **parts)
    grants: dict[str, Any] = dict(whole.token._grants)
    grants[CODE].__class__ = _Unproven
    return whole


class _Password(ClientCredentials):
    """OA-12: whoever types a person's password is given a token."""

    type = "password"  # type: ignore[misc]  # another grant's name


def with_passwords(**parts: Any) -> OAuth:
    """A server that serves one grant too many."""
    whole = with_codes(**parts)
    grants: dict[str, Any] = dict(whole.token._grants)
    whole.token._grants = {**grants, "password": _Password(mint=grants["client_credentials"]._mint)}
    return whole


def _with_endpoint(kind: type[AuthorizationEndpoint], **parts: Any) -> OAuth:
    whole = with_codes(**parts)
    flow: Any = whole.code_flow
    flow.authorization.__class__ = kind
    return whole
