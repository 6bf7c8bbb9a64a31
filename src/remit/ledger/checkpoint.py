"""Signed tree heads as signed notes: C2SP `tlog-checkpoint` in C2SP `signed-note`, Ed25519.

A checkpoint is what an auditor keeps: whatever is later cut, changed or forked shows against it.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Invalid
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, Signer
from remit.ledger.merkle import HASH_SIZE, MAX_SIZE, Hash

MAX_NOTE_SIZE: Final = 16 << 10
MAX_SIGNATURES: Final = 100
_ED25519: Final = b"\x01"
_KEY_ID_SIZE: Final = 4
_SIGNATURE_LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_BODY_LINES: Final = 3


class CheckpointRejected(Invalid):
    """The note is malformed, or no trusted key signed it, or a trusted key's signature fails."""

    code = "checkpoint_rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A head of one log: its name, how many records, the root above them."""

    origin: str
    size: int
    root: Hash

    def body(self) -> bytes:
        """The exact text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """A public Ed25519 key under the name that it signs notes with; `id` is its four-byte key ID."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s+]+", self.name):
            raise Invalid("name of a log key is empty, or holds a space or `+`")
        if len(self.public) != HASH_SIZE:
            raise Invalid(f"an Ed25519 public key has {HASH_SIZE} bytes, not {len(self.public)}")

    @property
    def id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4] (C2SP signed-note)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID_SIZE]

    def text(self) -> str:
        """One line to hand to an auditor: `name+keyid+base64(type ‖ key)`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "LogKey":
        """Read `name+keyid+base64(type ‖ key)`, refusing a key ID that is not the key's."""
        name, _, rest = text.strip().partition("+")
        ident, _, blob = rest.partition("+")
        raw = _base64(blob)
        if raw[:1] != _ED25519:
            raise Invalid("log key is not of type Ed25519 (0x01)")
        key = cls(name=name, public=raw[1:])
        if key.id.hex() != ident:
            raise Invalid(f"log key `{name}` has key ID `{key.id.hex()}`, its text says `{ident}`")
        return key

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def names_key(note: bytes, keys: Iterable[LogKey]) -> bool:
    """Whether a note claims a signature by one of these keys; nothing is verified."""
    known = {key.id for key in keys}
    lines = note.decode("utf-8", "replace").splitlines()
    found = [_SIGNATURE_LINE.fullmatch(line) for line in lines]
    return any(each and _base64(each["blob"])[:_KEY_ID_SIZE] in known for each in found)


class CheckpointSigner(Protocol):
    """A private key of class `ledger`, wherever it is held."""

    @property
    def key(self) -> LogKey:
        """Its public half and name."""

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""


class RingSigner:
    """Signs heads with the key ring's key of class `ledger`, under the name of the log's owner."""

    def __init__(self, name: str, signer: Signer) -> None:
        signer.require(KeyClass.LEDGER)
        if signer.private.algorithm is not Algorithm.ED25519:
            raise Invalid(f"a log is signed with Ed25519, not `{signer.private.algorithm}`")
        self._private = signer.private
        self._key = LogKey(name=name, public=b64u_decode(str(signer.private.public.jwk()["x"])))

    @property
    def key(self) -> LogKey:
        """Its public half and name."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._private.sign(message)


def sign_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> bytes:
    """Write the signed note.

    The caller MUST sign only a durable head that was proven consistent with the last one signed.
    """
    body = checkpoint.body()
    _parse_body(body.decode())
    blob = base64.b64encode(signer.key.id + signer.sign(body)).decode()
    return body + f"\n— {signer.key.name} {blob}\n".encode()


def parse_checkpoint(note: bytes) -> Checkpoint:
    """Read what a note says WITHOUT judging who signed it."""
    return _parse_body(_split_note(note)[0])


def verify_checkpoint(note: bytes, *, keys: Iterable[LogKey], origin: str | None = None) -> Checkpoint:
    """Prove that a trusted key signed this head (C2SP signed-note, tlog-checkpoint).

    1 a well-formed note   2 each signature by a known key holds   3 there is one   4 the body is a
    checkpoint, of `origin` when given. Signatures by unknown keys are ignored.
    Raises `CheckpointRejected`.
    """
    # (1) Form and size.
    text, signatures = _split_note(note)
    known = {(key.name, key.id): key for key in keys}
    if not known:
        raise CheckpointRejected("a set of no trusted keys proves nothing")
    # (2) One bad signature by a known key spoils the note, whatever others hold.
    holds = 0
    for name, blob in signatures:
        key = known.get((name, blob[:_KEY_ID_SIZE]))
        if key is None:
            continue
        if not key.signed(text.encode(), blob[_KEY_ID_SIZE:]):
            raise CheckpointRejected(f"signature of trusted key `{name}` does not hold")
        holds += 1
    # (3) At least one trusted key.
    if not holds:
        raise CheckpointRejected("no trusted key signed this checkpoint")
    # (4) Only now is the text worth reading.
    checkpoint = _parse_body(text)
    if origin is not None and checkpoint.origin != origin:
        raise CheckpointRejected(f"checkpoint is of log `{checkpoint.origin}`, not of `{origin}`")
    return checkpoint


def _split_note(note: bytes) -> tuple[str, Sequence[tuple[str, bytes]]]:
    """Text (with its last newline) and signatures (name, key ID ‖ signature)."""
    if len(note) > MAX_NOTE_SIZE:
        raise CheckpointRejected(f"note has {len(note)} bytes, the limit is {MAX_NOTE_SIZE}")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise CheckpointRejected("note is not UTF-8") from broken
    if _CONTROL.search(whole):
        raise CheckpointRejected("note holds a control character")
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not text or not tail.endswith("\n"):
        raise CheckpointRejected("note has no text, no blank line, or no signature")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointRejected(f"note has {len(lines)} signatures, the limit is {MAX_SIGNATURES}")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE_LINE.fullmatch(line)
    if found is None:
        raise CheckpointRejected("a signature line is malformed")
    blob = _base64(found["blob"])
    if len(blob) <= _KEY_ID_SIZE:
        raise CheckpointRejected("a signature is shorter than its key ID")
    return found["name"], blob


def _parse_body(text: str) -> Checkpoint:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != _BODY_LINES or not lines[0]:
        raise CheckpointRejected(f"a checkpoint has {_BODY_LINES} lines: origin, size, root")
    origin, size, root = lines
    if not _DECIMAL.fullmatch(size) or int(size) > MAX_SIZE:
        raise CheckpointRejected("size of a checkpoint is a plain decimal without leading zeros")
    if len(_base64(root)) != HASH_SIZE:
        raise CheckpointRejected(f"root of a checkpoint has {HASH_SIZE} bytes")
    return Checkpoint(origin=origin, size=int(size), root=_base64(root))


def _base64(text: str) -> bytes:
    """Standard base64 in its one canonical form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise CheckpointRejected("text is not base64") from broken
    if base64.b64encode(data).decode() != text:
        raise CheckpointRejected("text is not canonical base64")
    return data
