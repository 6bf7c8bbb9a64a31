"""Two files in the data directory by which the command line finds the server and proves who types.

`server.json` says where a running server is; `operator.key` is the device key of one person (mode 0600).
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.errors import Invalid, NotFound
from remit.kernel.ids import KeyId, UserId
from remit.kernel.secret import Secret

SERVER_FILE: Final = "server.json"
KEY_FILE: Final = "operator.key"


class NoServerFile(NotFound):
    """No server has written down its address in this data directory."""

    code = "server_not_found"


class NoOperatorKey(NotFound):
    """There is no device key to prove who types."""

    code = "operator_key_not_found"


class OperatorFileBroken(Invalid):
    """One of the two files can't be read, or others could read the key."""

    code = "operator_file_broken"


class ServerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, the issuer that it is, and its process."""

    url: str
    issuer: str
    pid: int


class _StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    kid: str
    algorithm: str
    private: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKey:
    """A person's device key: `private` is what `PrivateKey.export` gave."""

    user: UserId
    kid: KeyId
    algorithm: str
    private: Secret


def write_server(directory: Path, server: ServerAddress) -> None:
    """Say where the server is; done once it listens."""
    _write(directory / SERVER_FILE, msgspec.json.encode(server))


def read_server(directory: Path) -> ServerAddress:
    """Where the server of this data directory is."""
    try:
        return msgspec.json.decode((directory / SERVER_FILE).read_bytes(), type=ServerAddress)
    except FileNotFoundError as missing:
        raise NoServerFile(
            f"no server has run on data directory `{directory}`", next_step="remit up"
        ) from missing
    except (OSError, msgspec.DecodeError) as broken:
        raise OperatorFileBroken(
            f"`{directory / SERVER_FILE}` cannot be read", next_step="remit up"
        ) from broken


def write_operator(path: Path, key: OperatorKey) -> None:
    """Keep a device key, readable by its owner alone."""
    stored = _StoredKey(
        user=key.user, kid=key.kid, algorithm=key.algorithm, private=b64u(key.private.reveal())
    )
    _write(path, msgspec.json.encode(stored))


def read_operator(path: Path) -> OperatorKey:
    """Read a device key; one that others could have read is refused."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        stored = msgspec.json.decode(path.read_bytes(), type=_StoredKey)
        private = Secret(b64u_decode(stored.private))
    except FileNotFoundError as missing:
        raise NoOperatorKey(
            f"there is no device key at `{path}`", next_step="remit up, or set REMIT_KEY to your key file"
        ) from missing
    except (OSError, msgspec.DecodeError, Invalid) as broken:
        raise OperatorFileBroken(f"`{path}` cannot be read as a device key") from broken
    if mode & 0o077:
        raise OperatorFileBroken(
            f"device key `{path}` has mode {mode:04o}: others can use it", next_step=f"chmod 600 {path}"
        )
    return OperatorKey(
        user=UserId(stored.user), kid=KeyId(stored.kid), algorithm=stored.algorithm, private=private
    )


def _write(path: Path, content: bytes) -> None:
    """CRASH: the file is whole or absent; it is renamed into place after it was written and synced."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
