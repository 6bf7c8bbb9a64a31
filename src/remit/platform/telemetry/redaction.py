"""The last door before a log line: what looks like a token or a secret does not pass, wherever it hides."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from remit.kernel.secret import Secret

MASK: Final = "[redacted]"
MAX_TEXT: Final = 2048
MAX_ITEMS: Final = 50
MAX_DEPTH: Final = 6

_SECRET_NAMES: Final = frozenset({
    "authorization", "dpop", "cookie", "set-cookie", "token", "access_token", "refresh_token", "id_token",
    "subject_token", "actor_token", "client_assertion", "assertion", "secret", "client_secret", "password",
    "passphrase", "private_key", "kek", "authorization_code", "user_code", "envelope", "capability_token",
    "link", "signature", "body",
    "remit-envelope", "txn-token", "remit-capability", "goal", "arguments", "prompt", "result", "content",
})  # fmt: skip
"""Names whose values are never shown; `goal`, `arguments` and the like are content, not secrets."""

_HARMLESS: Final = r"[a-f0-9]{64}|[a-z]{3}_[0-9A-HJKMNP-TV-Z]{36}|[a-z_][a-z0-9_]*"
"""Digests, our ids, names of functions: random text has no capital once in five thousand million times."""
_SHAPES: Final = tuple(
    re.compile(shape)
    for shape in (
        # JWS compact serialization, and envelopes of several joined by `~`; linear: no nested repeats overlap
        r"eyJ[A-Za-z0-9_.~-]{8,}",
        r"(?i)\b(?:bearer|dpop|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r'"d"\s*:\s*"[A-Za-z0-9_-]{16,}"',
        r"\b(?:sk|pk|ghp|gho|github_pat|xox[abprs]|AKIA|glpat|npm)[-_A-Za-z0-9]{16,}",
        r"(?i)\b(?:password|passwd|secret|api[_-]?key|access[_-]?token)\b\s*[=:]\s*[^\s,;&\"']+",
        rf"(?<![A-Za-z0-9_-])(?!(?:{_HARMLESS})(?![A-Za-z0-9_-]))[A-Za-z0-9_-]{{43,}}(?![A-Za-z0-9_-])",
    )
)
"""Shapes of secrets. The last one: 256 bits or more of base64url that is none of the harmless shapes."""


def redact(value: object, *, name: str = "", depth: int = 0) -> object:
    """Give what may be shown of a value: masked, bounded in length, depth and count."""
    if isinstance(value, Secret) or name.lower() in _SECRET_NAMES:
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _redact_members(value, depth=depth + 1) if depth < MAX_DEPTH else "…"
    return redact_text(str(value))


def _redact_members(value: Mapping[Any, Any] | Collection[Any], *, depth: int) -> object:
    if isinstance(value, Mapping):
        return {
            redact_text(str(key)): redact(member, name=str(key), depth=depth)
            for key, member in list(value.items())[:MAX_ITEMS]
        }
    return [redact(member, depth=depth) for member in list(value)[:MAX_ITEMS]]


def redact_text(text: str) -> str:
    """Mask what looks like a secret, make control characters visible, cut what is long."""
    shown = text[: MAX_TEXT * 2]
    for shape in _SHAPES:
        shown = shape.sub(MASK, shown)
    visible = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in shown)
    return visible if len(visible) <= MAX_TEXT else f"{visible[:MAX_TEXT]}… ({len(text)} characters)"
