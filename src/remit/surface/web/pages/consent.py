"""The consent page: what an application asks of a person, in the very sentences that a yes would give."""

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from remit.authority.oauth.clients.redirects import host_of, is_loopback
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.authority.oauth.consenting.sign_ons import may_remember
from remit.authority.oauth.endpoints.authorize import Ask
from remit.oversight.approvals.visible import show
from remit.surface.web.pages.paper import HEADERS, Paper

_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://[A-Za-z0-9.:\[\]-]+)?")
"""What may stand in a policy as a source: a scheme, and a host if it has one."""
_KNOWN: Final = {
    RegistrationKind.PRE_REGISTERED: "registered here by an administrator",
    RegistrationKind.METADATA_DOCUMENT: "says of itself what stands at that address",
    RegistrationKind.DYNAMIC: "registered itself here; nobody has checked what it calls itself",
}


_KEEPS: Final = {
    True: "It signs you in again without asking, as long as it asks for no more.",
    False: "You are asked each time, as nobody can say which program it is.",
}
"""Whether a yes to an application counts again."""


class ConsentPage:
    """Draws the page; it changes nothing, only its form does."""

    def __init__(self, *, paper: Paper) -> None:
        self._paper = paper

    def draw(self, ask: Ask, *, csrf: str) -> Response:
        """Show client and agent, what exactly is asked, and where the answer would go."""
        where = ask.pending.request.returning
        response = self._paper.page(
            "consent.html",
            client=show(ask.registration.name),
            client_id=show(name_of_client(ask.registration)),
            known=known_as(ask.registration),
            agent=None if ask.agent is None else show(ask.agent.name),
            who=show(ask.person.name),
            lines=[(show(line), _is_new(line, ask.before)) for line in ask.offer.lines],
            resource=show(ask.offer.resource),
            keeps=_KEEPS[may_remember(ask.registration, where.redirect_uri)],
            until=ask.offer.ends_at,
            back=show(host_of(where.redirect_uri)),
            loopback=is_loopback(where.redirect_uri),
            expires_at=ask.pending.expires_at,
            csrf=csrf,
        )
        response.headers["content-security-policy"] = policy_towards(where.redirect_uri)
        return response

    def refused(self, text: str, *, status: int) -> Response:
        """Say that nobody can be sent anywhere, and why (RFC 6749 §4.1.2.1)."""
        return self._paper.page(
            "message.html", status=status, title="This request can't be answered", text=text
        )


def _is_new(line: str, before: frozenset[str]) -> bool:
    """Whether it is more than this client has already; to who gives it for the first time all is new."""
    return bool(before) and line.startswith("Do ") and line not in before


def known_as(registration: ClientRegistration) -> str:
    """How we know a client: what a person should make of its name."""
    return _KNOWN[registration.kind]


def name_of_client(registration: ClientRegistration) -> str:
    """Its whole id where that is ours, its host where it is an address (standards §6)."""
    ident = registration.client_id
    return urlsplit(ident).netloc if ident.startswith("https://") else ident


def policy_towards(uri: str) -> str:
    """Our policy, with the one address that the form's answer leads on to: browsers hold forms to it."""
    parts = urlsplit(uri)
    source = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
    policy = HEADERS["Content-Security-Policy"]
    if not _SOURCE.fullmatch(source):
        return policy
    return policy.replace("form-action 'self'", f"form-action 'self' {source}")
