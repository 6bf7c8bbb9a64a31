"""HTTP with nothing but the standard library: no redirects, no proxies, bounded, TLS but on loopback."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from remit_sdk.errors import Refused, RemitError, Unreachable

LARGEST = 16 << 20
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OK = 200


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, timeout: float = 30
) -> Answer:
    """Send one request. Raises `Unreachable`; nothing is retried here."""
    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.hostname or "", parts.port, timeout)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        content = response.read(LARGEST + 1)
        found = {name.lower(): value for name, value in response.getheaders()}
    except (OSError, http.client.HTTPException) as failed:
        raise Unreachable(f"`{parts.netloc}` cannot be reached", code="unreachable") from failed
    finally:
        connection.close()
    if len(content) > LARGEST:
        raise Unreachable(f"`{parts.netloc}` sent more than {LARGEST} bytes", code="answer_too_large")
    return Answer(status=response.status, headers=found, body=content)


def _connect(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    if scheme == "http" and host in _LOOPBACK:
        return http.client.HTTPConnection(host, port, timeout=timeout)
    raise RemitError(
        f"`{scheme}://{host}` is not protected", code="plain_http", next_step="use an https address"
    )


def post_form(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """Send a form."""
    sent = {**headers, "content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    return send("POST", url, sent, urlencode(form).encode())


def object_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer. Raises `Unreachable` for anything else."""
    try:
        found = json.loads(answer.body)
    except ValueError as broken:
        raise Unreachable(f"an answer ({answer.status}) is no JSON", code="answer_malformed") from broken
    if not isinstance(found, dict):
        raise Unreachable(f"an answer ({answer.status}) is no JSON object", code="answer_malformed")
    return found


def granted(answer: Answer) -> dict[str, Any]:
    """The object of a good answer of the authorization server. Raises `Refused` (RFC 6749 §5.2)."""
    body = object_of(answer)
    if answer.status == _OK:
        return body
    name = str(body.get("error", "refused"))
    said = str(body.get("error_description") or name)
    raise Refused(f"{name}: {said}", code=name, status=answer.status)
