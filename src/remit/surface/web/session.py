"""Who is signed in, by cookie: recognized, asked to sign in, and protected from other sites' forms."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from remit.identity.sessions import SECRET_BYTES, Session, digest_of
from remit.kernel.canonical import b64u, b64u_decode, same_bytes
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy, system_entropy
from remit.kernel.secret import Secret
from remit.kernel.tenancy import path_of
from remit.surface.web.forms import ForeignForm, read_fields, refuse_foreign

SIGN_IN: Final = "/sign-in"
FORM_LIMIT: Final = 16 << 10
NEXT_LIMIT: Final = 4096
_LOCAL: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")
"""One slash, then visible ASCII without a backslash; a second slash would name a host."""


class Recognizes(Protocol):
    """What the door needs of sessions."""

    async def current(self, secret: Secret) -> Session | None:
        """The open session of a cookie whose person lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One browser that nobody has signed in with yet: what its page asked is answered from it alone."""

    secret: Secret

    @property
    def name(self) -> str:
        """What a question is bound to; the secret can't be told from it."""
        return digest_of(self.secret)


class SessionDoor:
    """Tells who is signed in, sends others to the sign-in page, keeps and drops the cookie.

    `origins` are the addresses under which our own pages are seen. INVARIANT: a page that changes anything
    for a session reads its form with `read_form`.
    """

    def __init__(
        self,
        *,
        sessions: Recognizes,
        issuer: str,
        origins: frozenset[str],
        entropy: Entropy = system_entropy,
    ) -> None:
        self._sessions = sessions
        self._https = issuer.startswith("https://")
        self.origins = origins
        self._entropy = entropy
        # RFC 6265bis §4.1.3.2: with this prefix no other host, path or plain page can set it.
        prefix = "__Host-" if self._https else ""
        # Tenants share an origin, so a cookie bears its tenant's name: to another it is none at all.
        whose = path_of(issuer).replace("/", ".")
        self._name, self._visit = f"{prefix}remit-session{whose}", f"{prefix}remit-visit{whose}"

    async def current_session(self, request: Request) -> Session | None:
        """The session of this request, or None."""
        secret = self.secret(request)
        return None if secret is None else await self._sessions.current(secret)

    def sign_in_first(self, request: Request, *, again: bool = False) -> Response:
        """Send the person to the sign-in page and back here; `again` asks for a fresh proof (step-up)."""
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = {"next": here, "again": "1"} if again else {"next": here}
        return RedirectResponse(f"{SIGN_IN}?{urlencode(asked)}", status_code=303)

    def keep(self, response: Response, secret: Secret) -> None:
        """Give the session to the client; the cookie ends with the browser, the session by its own rule."""
        self._cookie(response, self._name, b64u(secret.reveal()), max_age=None)

    def drop(self, response: Response) -> None:
        """Take the cookie back."""
        self._cookie(response, self._name, "", max_age=0)

    def visit(self, request: Request) -> Visit:
        """The browser's visit; a new one if it has none. The caller gives it to the client with `welcome`."""
        return Visit(secret=self._read(request, self._visit) or Secret(self._entropy(SECRET_BYTES)))

    def welcome(self, response: Response, visit: Visit) -> None:
        """Keep a visit with the client."""
        self._cookie(response, self._visit, b64u(visit.secret.reveal()), max_age=None)

    async def read_visitor(self, request: Request) -> dict[str, str]:
        """Read a form of somebody who is not signed in.

        The caller MUST take its ticket for this very visit: that is what tells our page from another's.
        """
        refuse_foreign(request, origins=self.origins)
        return await read_fields(request, limit=FORM_LIMIT)

    def csrf(self, request: Request, form: str) -> str:
        """What a form of that name must bring along: known only to pages of this very session."""
        secret = self.secret(request)
        if secret is None:
            raise ForeignForm("nobody is signed in here", next_step="sign in first")
        return hmac.new(secret.reveal(), b"remit/form/v1\0" + form.encode(), hashlib.sha256).hexdigest()

    async def read_form(self, request: Request, form: str) -> dict[str, str]:
        """Read a form of a signed-in person; raises `ForeignForm` unless our page of this session sent it."""
        refuse_foreign(request, origins=self.origins)
        fields = await read_fields(request, limit=FORM_LIMIT)
        if not same_bytes(fields.pop("csrf", "").encode(), self.csrf(request, form).encode()):
            raise ForeignForm("the form is not this session's own", next_step="open the page again")
        return fields

    def secret(self, request: Request) -> Secret | None:
        """The session cookie's bytes; None if it is absent, malformed, or there twice."""
        return self._read(request, self._name)

    def _read(self, request: Request, wanted: str) -> Secret | None:
        pairs = [part.strip().partition("=") for part in request.headers.get("cookie", "").split(";")]
        values = [value for name, _, value in pairs if name == wanted]
        if len(values) != 1:
            return None
        try:
            raw = b64u_decode(values[0])
        except Invalid:
            return None
        return Secret(raw) if len(raw) == SECRET_BYTES else None

    def _cookie(self, response: Response, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(
            name, value, max_age=max_age, path="/", secure=self._https, httponly=True, samesite="lax"
        )


def local_path(text: str) -> str | None:
    """A path of ours to go on to after signing in, or None for everything that could lead elsewhere."""
    return text if len(text) <= NEXT_LIMIT and _LOCAL.fullmatch(text) else None
