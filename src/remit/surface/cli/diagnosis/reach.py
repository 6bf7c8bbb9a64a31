"""Fetching documents as a strict client does: no redirects, no proxy of the environment, JSON or nothing."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from remit.kernel.errors import RemitError
from remit.surface.cli.failures import CommandFailed, Unreachable

SECONDS: Final = 5.0
LARGEST: Final = 256 << 10
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer: status, headers in lower case, whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(url: str, *, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> Heard:
    """Send one request. Raises `Unreachable` with the address that did not answer."""
    import httpx2  # noqa: PLC0415 — 0.4 s that `--help` need not pay

    try:
        with _client().stream(method, url, content=body, headers=headers or {}) as answer:
            found = _bounded(answer, url)
    except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
        raise Unreachable(f"`{url}` cannot be reached", next_step="check the address") from failed
    return found


@cache
def _client() -> Any:
    """One for all steps: reading the machine's authorities takes a tenth of a second."""
    import httpx2  # noqa: PLC0415 — as above

    return httpx2.Client(timeout=SECONDS, trust_env=False, follow_redirects=False)


def _bounded(answer: Any, url: str) -> Heard:
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > LARGEST:
            raise CommandFailed(f"`{url}` sends over {LARGEST} bytes", next_step="check the address")
    return Heard(
        status=answer.status_code,
        headers={name.lower(): value for name, value in answer.headers.items()},
        body=body,
    )


def document(url: str) -> dict[str, Any]:
    """A metadata document: status 200 and a JSON object, else `CommandFailed` says what came instead."""
    heard = ask(url, headers={"accept": "application/json"})
    if heard.status != 200:  # noqa: PLR2004 — RFC 8414 §3.2, RFC 9728 §3.2
        raise CommandFailed(
            f"`{url}` answers {heard.status}", next_step="serve the document there, without a redirect"
        )
    found = _object(heard.body)
    if found is None:
        raise CommandFailed(f"`{url}` answers no JSON object", next_step="serve `application/json`")
    return found


def _object(body: bytes) -> dict[str, Any] | None:
    from remit.kernel.canonical import parse_object  # noqa: PLC0415 — beside its one use

    try:
        return dict(parse_object(body))
    except RemitError:
        return None


def well_known(name: str, url: str) -> str:
    """The well-known name before the path (RFC 8414 §3.1, RFC 9728 §3.1)."""
    parts = urlsplit(url)
    path = "" if parts.path == "/" else parts.path
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{path}"


def is_protected(url: str) -> bool:
    """Whether the address is https, or this machine's own."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
