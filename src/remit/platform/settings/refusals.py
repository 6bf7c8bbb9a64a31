"""What the process refuses to start on (security 5), each in one sentence with its fix.

A missing or unsafe setting never means that a check is skipped: it means that nothing runs.
"""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

from remit.kernel.errors import Invalid
from remit.platform.settings.model import Settings, is_loopback

MIN_KEK: Final = 32
"""Bytes of a key-encryption key: AES-256."""


class StartRefused(Invalid):
    """The settings are unsafe together; the message holds every reason with its fix."""

    code = "start_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason not to start: a stable code, a sentence, and what to do."""

    code: str
    sentence: str
    fix: str


class Disk(Protocol):
    """What the rules must know about files."""

    def mode(self, path: Path) -> int | None:
        """Permission bits, or None if there is no such file."""

    def head(self, path: Path, size: int) -> bytes:
        """The first bytes of a file."""

    def names(self, path: Path) -> list[str]:
        """Names in a directory; none if there is no such directory."""


class LocalDisk:
    """This machine's files."""

    def mode(self, path: Path) -> int | None:
        """Permission bits, or None if there is no such file."""
        try:
            return stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            return None

    def head(self, path: Path, size: int) -> bytes:
        """The first bytes of a file."""
        with path.open("rb") as file:
            return file.read(size)

    def names(self, path: Path) -> list[str]:
        """Names in a directory; none if there is no such directory."""
        return [each.name for each in path.iterdir()] if path.is_dir() else []


def refuse_unsafe(settings: Settings, disk: Disk) -> None:
    """Raise `StartRefused` with every reason at once, so that one edit can mend them all."""
    found = list(refusals(settings, disk))
    if found:
        lines = "\n".join(f"  {each.code}: {each.sentence}\n    fix: {each.fix}" for each in found)
        raise StartRefused(f"refusing to start:\n{lines}", next_step="remit doctor")


def refusals(settings: Settings, disk: Disk) -> Iterator[Refusal]:
    """Every rule that these settings break; nothing for a safe start."""
    for rule in _RULES:
        yield from rule(settings, disk)


def _issuer(settings: Settings, _: Disk) -> Iterator[Refusal]:
    issuer = settings.issuer_url
    if not settings.issuer and settings.listens_publicly:
        yield Refusal(
            code="issuer_missing",
            sentence=f"the server listens on `{settings.http.host}` but no `issuer` says where it is reached",
            fix='set `issuer = "https://…"` to the address that clients use',
        )
        return
    parts = _split(issuer)
    if parts is None or _malformed(parts, issuer):
        yield Refusal(
            code="issuer_malformed",
            sentence=f"issuer `{issuer}` is no bare https address without query, fragment or last slash",
            fix="write it as `https://remit.example.com`",
        )
    elif parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Refusal(
            code="issuer_not_https",
            sentence=f"issuer `{issuer}` is plain http outside the loopback, so tokens would travel in clear",
            fix="put TLS in front and set `issuer` to the https address",
        )
    elif parts.scheme == "http" and settings.listens_publicly:
        yield Refusal(
            code="plain_http_public",
            sentence=f"issuer `{issuer}` is plain http but others can reach `{settings.http.host}`",
            fix="listen on `127.0.0.1`, or set `issuer` to the https address of the proxy in front",
        )


def _kek(settings: Settings, disk: Disk) -> Iterator[Refusal]:
    path = settings.kek_file
    if settings.keys.kek_command:
        if settings.keys.kek_file is not None:
            yield Refusal(
                code="kek_twice",
                sentence="both `keys.kek_file` and `keys.kek_command` say where the key-encryption key is",
                fix="remove one of them",
            )
        return
    mode = disk.mode(path)
    if mode is None:
        yield from _missing_kek(settings, path, disk)
    elif mode & 0o077:
        yield Refusal(
            code="kek_exposed",
            sentence=f"key-encryption key `{path}` has mode {mode:04o}: others on this machine can use it",
            fix=f"chmod 600 {path}",
        )
    elif _weak(disk.head(path, 4096).strip()):
        yield Refusal(
            code="kek_weak",
            sentence=f"key-encryption key `{path}` is shorter than {MIN_KEK} bytes or one byte repeated",
            fix=f"head -c 32 /dev/urandom > {path}  (only before the first start: keys under it are lost)",
        )


def _missing_kek(settings: Settings, path: Path, disk: Disk) -> Iterator[Refusal]:
    """A fresh, embedded installation makes its own key; a store that exists is never given a new one."""
    if not settings.store.url and settings.keys.kek_file is None and _fresh(settings, disk):
        return
    yield Refusal(
        code="kek_missing",
        sentence=f"key-encryption key `{path}` does not exist, so no stored key can be opened",
        fix=f"bring `{path}` back, or name it with `keys.kek_file`; a new installation makes one itself",
    )


def _fresh(settings: Settings, disk: Disk) -> bool:
    return not any(".db" in name or ".sqlite" in name for name in disk.names(settings.directory))


def _debug(settings: Settings, _: Disk) -> Iterator[Refusal]:
    if settings.debug and settings.listens_publicly:
        yield Refusal(
            code="debug_public",
            sentence=f"`debug` is on and `{settings.http.host}` can be reached from outside",
            fix="set `debug = false`, or listen on `127.0.0.1`",
        )


def _demo(settings: Settings, _: Disk) -> Iterator[Refusal]:
    if settings.demo and settings.listens_publicly:
        yield Refusal(
            code="demo_public",
            sentence=f"`demo` is on and `{settings.http.host}` can be reached from outside",
            fix="set `demo = false`, or listen on `127.0.0.1`",
        )


def _data(settings: Settings, disk: Disk) -> Iterator[Refusal]:
    for path in (settings.directory, settings.directory / "operator.key"):
        mode = disk.mode(path)
        if mode is not None and mode & 0o077:
            wanted = "700" if path == settings.directory else "600"
            yield Refusal(
                code="data_exposed",
                sentence=f"`{path}` has mode {mode:04o}: others on this machine can read it",
                fix=f"chmod {wanted} {path}",
            )


def _trust_domain(settings: Settings, _: Disk) -> Iterator[Refusal]:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
    name = settings.trust_domain
    if not name or len(name) > 255 or any(char not in allowed for char in name):  # noqa: PLR2004 — SPIFFE ID §2.1
        yield Refusal(
            code="trust_domain_malformed",
            sentence=f"trust domain `{name}` is not made of lower case letters, digits, `.`, `-`, `_`",
            fix='set `trust_domain = "remit.example.com"`',
        )


_RULES: Final[tuple[Callable[[Settings, Disk], Iterator[Refusal]], ...]] = (
    _issuer,
    _trust_domain,
    _kek,
    _debug,
    _demo,
    _data,
)


def _split(issuer: str) -> SplitResult | None:
    try:
        parts = urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _malformed(parts: SplitResult, issuer: str) -> bool:
    extra = parts.query or parts.fragment or parts.username is not None or issuer.endswith(("/", "?", "#"))
    return bool(extra) or parts.scheme not in {"http", "https"} or not parts.hostname


def _weak(key: bytes) -> bool:
    return len(key) < MIN_KEK or len(set(key)) == 1
