"""The key-encryption key of an installation: from a file or handed in, never made up in silence."""

import binascii
import os
import stat
from pathlib import Path
from typing import Final

from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import Entropy
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret

KEK_BYTES: Final = 32
_HEX_DIGITS: Final = 2 * KEK_BYTES
_READ_LIMIT: Final = 4096


class KekMissing(RemitError):
    """There is no key-encryption key where one must be; the process does not start."""

    code = "kek_missing"
    kind = "unavailable"


class KekExposed(RemitError):
    """Others on this machine can read or replace the key-encryption key; the process does not start."""

    code = "kek_exposed"
    kind = "unavailable"


def read_kek(path: Path) -> Kek:
    """Read the key of a file that only we can read; raises `KekMissing`, `KekExposed` or `KekUnfit`."""
    try:
        # O_NOFOLLOW, and fstat on what was opened: what we judge is what we read.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as absent:
        raise KekMissing(
            f"cannot read the key-encryption key `{path}`",
            debug=str(absent),
            next_step=f"bring `{path}` back from its backup: what it sealed cannot be opened without it",
        ) from absent
    with os.fdopen(handle, "rb") as file:
        _judge(path, os.fstat(file.fileno()))
        return parse_kek(file.read(_READ_LIMIT))


def make_kek(path: Path, *, entropy: Entropy) -> Kek:
    """Make the key of a new installation; raises FileExistsError rather than replace one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(entropy(KEK_BYTES).hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    # CRASH: without this the name may be lost although what it seals is kept.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return read_kek(path)


def parse_kek(raw: bytes) -> Kek:
    """Read 32 bytes: as they are, as 64 hexadecimal digits, or as unpadded base64url."""
    if len(raw) == KEK_BYTES:
        return Kek.of(Secret(raw))
    text = raw.strip()
    try:
        return Kek.of(
            Secret(
                binascii.unhexlify(text) if len(text) == _HEX_DIGITS else b64u_decode(text.decode("ascii"))
            )
        )
    except (binascii.Error, UnicodeDecodeError) as broken:
        raise Invalid("the key-encryption key is neither 32 bytes nor their text") from broken


def _judge(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KekMissing(f"the key-encryption key `{path}` is not a file")
    if found.st_uid != os.getuid():
        raise KekExposed(
            f"the key-encryption key `{path}` belongs to another user", next_step=f"chown it: {path}"
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise KekExposed(
            f"the key-encryption key `{path}` has mode {mode:04o}: others on this machine can use it",
            next_step=f"chmod 600 {path}",
        )
