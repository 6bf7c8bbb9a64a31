"""Clear texts beside the tree: sealed under a data key per subject, which erasure shreds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, insert, select, update

from remit.kernel.ids import Entropy, RecordId, TenantId
from remit.kernel.sealing import Kek, SealBroken, seal, unseal
from remit.kernel.secret import Secret
from remit.ledger.encoding import SALT_SIZE
from remit.ledger.repository import Disclosed, LedgerDamaged
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.ledger import ledger_content as content
from remit.platform.storage.tables.ledger import subject_key as key

KEY_SIZE: Final = 32
KEPT_BATCHES: Final = 256
"""Batches after which an open key that no batch has used since is forgotten; at most twice as many."""
KEPT_KEYS: Final = 1_024
_NONCE: Final = 12
_PLACE: Final = b"ledger/content"
_LENGTH: Final = 2
"""Bytes that say how long a wrapped data key is."""

_ADD_CONTENT = insert(content)
_ADD_KEY = insert(key)
_LAST_KEY = (
    select(key.c.version, key.c.sealed)
    .where(key.c.tenant == bindparam("tenant"), key.c.subject == bindparam("subject"))
    .order_by(key.c.version.desc())
    .limit(1)
)
_KEY = select(key.c.sealed).where(
    key.c.tenant == bindparam("tenant"),
    key.c.subject == bindparam("subject"),
    key.c.version == bindparam("version"),
)
_SHRED = (
    update(key)
    .where(key.c.tenant == bindparam("of"), key.c.subject == bindparam("whom"), key.c.sealed.is_not(None))
    .values(sealed=None, erased=bindparam("at"))
)
_CONTENTS = (
    select(content.c.name, content.c.subject, content.c.version, content.c.salt, content.c.sealed)
    .where(content.c.tenant == bindparam("tenant"), content.c.record == bindparam("record"))
    .order_by(content.c.name)
)


_BETWEEN = select(
    content.c.record, content.c.subject, content.c.version, content.c.salt, content.c.sealed
).where(
    content.c.tenant == bindparam("tenant"),
    content.c.record >= bindparam("first"),
    content.c.record <= bindparam("last"),
    content.c.name == bindparam("name"),
)


@dataclass(frozen=True, slots=True)
class KekSealer:
    """Data keys under the key-encryption key, texts under a data key (AES-256-GCM, random nonces)."""

    kek: Kek
    entropy: Entropy

    def new_key(self, context: Sequence[bytes]) -> tuple[bytes, bytes]:
        """A fresh data key, clear and sealed."""
        data_key = self.entropy(KEY_SIZE)
        return data_key, seal(Secret(data_key), kek=self.kek, context=context, entropy=self.entropy)

    def open_key(self, sealed: bytes, context: Sequence[bytes]) -> bytes:
        """The data key again; raises when the key-encryption key or the context is another."""
        return unseal(sealed, kek=self.kek, context=context).reveal()

    def seal_alone(self, plain: bytes, context: Sequence[bytes]) -> bytes:
        """Bytes that belong to no subject, under a data key of their own, which stands before them."""
        data_key, wrapped = self.new_key(context)
        nonce = self.entropy(_NONCE)
        sealed = AESGCM(data_key).encrypt(nonce, plain, _framed(context))
        return len(wrapped).to_bytes(_LENGTH, "big") + wrapped + nonce + sealed

    def open_alone(self, sealed: bytes, context: Sequence[bytes]) -> bytes:
        """The bytes again. Raises `SealBroken` if they were changed or belong to another place."""
        end = _LENGTH + int.from_bytes(sealed[:_LENGTH], "big")
        data_key = self.open_key(sealed[_LENGTH:end], context)
        nonce, body = sealed[end : end + _NONCE], sealed[end + _NONCE :]
        try:
            return AESGCM(data_key).decrypt(nonce, body, _framed(context))
        except (InvalidTag, ValueError) as broken:
            raise SealBroken("sealed bytes were changed, or belong to another place") from broken

    def seal_text(self, cipher: AESGCM, nonce: bytes, text: str, context: Sequence[bytes]) -> bytes:
        """Nonce, then the encrypted text with its tag. INVARIANT: a nonce is fresh entropy, used once."""
        return nonce + cipher.encrypt(nonce, text.encode(), _framed(context))

    def open_text(self, data_key: bytes, sealed: bytes, context: Sequence[bytes]) -> str:
        """The text again. Raises `LedgerDamaged` if a byte of it, its salt or its place was changed."""
        return open_sealed(AESGCM(data_key), sealed, _framed(context))


def open_sealed(cipher: AESGCM, sealed: bytes, framed: bytes) -> str:
    """A text again; raises `LedgerDamaged` as `KekSealer.open_text` does."""
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], framed).decode()
    except InvalidTag as broken:
        raise LedgerDamaged("a sealed text of the ledger was changed") from broken


def _framed(context: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in context)


class OpenKeys:
    """Data keys as ciphers, for the batches to come. OWNED BY: the one writer.

    SAFETY: where others may shred a key too, each batch asks the database anew, and a cipher is found by the
    sealed form that stands there. Every key is forgotten with the next erasure here, and otherwise at latest
    after `KEPT_BATCHES` twice without use.
    """

    def __init__(self) -> None:
        self._present: dict[tuple[TenantId, str], tuple[int, AESGCM]] = {}
        self._open: dict[bytes, AESGCM] = {}
        self._older: dict[bytes, AESGCM] = {}
        self._batches = 0

    def begin_batch(self, *, is_sole: bool) -> None:
        """What the database says of subjects is asked anew, unless we alone write it."""
        self._batches += 1
        due = self._batches >= KEPT_BATCHES or len(self._open) >= KEPT_KEYS
        if due:
            self._open, self._older, self._batches = {}, self._open, 0
        if due or not is_sole:
            self._present.clear()

    def forget(self) -> None:
        """Forget every key: some were shredded, or made in a transaction that is gone."""
        self._present.clear()
        self._open.clear()
        self._older.clear()

    def present(self, tenant: TenantId, subject: str) -> tuple[int, AESGCM] | None:
        """The subject's key as the database has it."""
        return self._present.get((tenant, subject))

    def show(self, tenant: TenantId, subject: str, version: int, cipher: AESGCM) -> None:
        """The database was seen to have this key."""
        self._present[tenant, subject] = (version, cipher)

    def known(self, sealed: bytes) -> AESGCM | None:
        """The cipher of a sealed key that was opened before."""
        found = self._open.get(sealed)
        if found is None and (found := self._older.get(sealed)) is not None:
            self._open[sealed] = found
        return found

    def keep(self, sealed: bytes, cipher: AESGCM) -> None:
        """A sealed key was opened."""
        self._open[sealed] = cipher


class ContentRows:
    """Seals and opens the texts of one tenant; `keys` are those that the writer has open."""

    def __init__(
        self, sql: Sql, sealer: KekSealer, tenant: TenantId, *, keys: OpenKeys | None = None
    ) -> None:
        self._sql = sql
        self._sealer = sealer
        self._tenant = tenant
        self._keys = OpenKeys() if keys is None else keys

    def seal(self, record: str, name: str, subject: str, text: str) -> bytes:
        """Seal one text under its subject's present key; returns the fresh salt that it was bound to."""
        fresh = self._sealer.entropy(SALT_SIZE + _NONCE)
        salt = fresh[:SALT_SIZE]
        self.add(record, name, subject, salt, text, nonce=fresh[SALT_SIZE:])
        return salt

    def add(
        self, record: str, name: str, subject: str, salt: bytes, text: str, *, nonce: bytes | None = None
    ) -> None:
        """Seal one text under its subject's present key and a salt that is known already."""
        version, cipher = self._present_key(subject)
        context = self._text_context(record, name, subject, salt)
        sealed = self._sealer.seal_text(cipher, nonce or self._sealer.entropy(_NONCE), text, context)
        self._sql.later(_ADD_CONTENT, {
            "tenant": self._tenant, "record": record, "name": name, "subject": subject,
            "version": version, "salt": salt, "sealed": sealed,
        })  # fmt: skip

    def salt(self) -> bytes:
        """Fresh random bytes, which keep equal texts apart."""
        return self._sealer.entropy(SALT_SIZE)

    def of(self, record: RecordId) -> list[Disclosed]:
        """The texts of a record; None in place of what was erased."""
        rows = self._sql.rows(_CONTENTS, {"tenant": self._tenant, "record": record})
        return [self._open(record, row) for row in rows]

    def between(self, name: str, first: RecordId, last: RecordId) -> dict[str, str | None]:
        """The texts of one name of all records from one id to another, by record; None for erased ones.

        SAFETY: each subject's key is opened once, and forgotten when this returns.
        """
        values: dict[str, Scalar] = {"tenant": self._tenant, "first": first, "last": last, "name": name}
        opened: dict[tuple[str, int], tuple[AESGCM | None, bytes]] = {}
        found: dict[str, str | None] = {}
        before = _framed([_PLACE, self._tenant.encode()])
        for record, subject, version, salt, sealed in self._sql.rows(_BETWEEN, values):
            known = opened.get((subject, version))
            if known is None:
                key = self._data_key(subject, version)
                after = _framed([name.encode(), subject.encode()])
                known = opened[subject, version] = (None if key is None else AESGCM(key), after)
            cipher, after = known
            if cipher is None:
                found[record] = None
                continue
            context = b"".join((before, _framed((record.encode(),)), after, _framed((salt,))))
            found[record] = open_sealed(cipher, sealed, context)
        return found

    def erase(self, subject: str, *, at: datetime) -> int:
        """Shred every key of a subject.

        SAFETY: what remains in freed pages and in backups is sealed under the key-encryption key, and only
        for as long as those exist.
        """
        self._keys.forget()
        return self._sql.run(_SHRED, {"of": self._tenant, "whom": subject, "at": micros(at)})

    def _data_key(self, subject: str, version: int) -> bytes | None:
        """The key of a subject's texts; None once it was shredded."""
        found = self._sql.row(_KEY, {"tenant": self._tenant, "subject": subject, "version": version})
        if found is None or found[0] is None:
            return None
        return self._sealer.open_key(bytes(found[0]), self._key_context(subject, version))

    def _open(self, record: RecordId, row: Row) -> Disclosed:
        name, subject, version, salt, sealed = row
        data_key, text = self._data_key(subject, version), None
        if data_key is not None:
            context = self._text_context(record, name, subject, bytes(salt))
            text = self._sealer.open_text(data_key, bytes(sealed), context)
        return Disclosed(record=record, name=name, subject=subject, salt=bytes(salt), text=text)

    def _present_key(self, subject: str) -> tuple[int, AESGCM]:
        known = self._keys.present(self._tenant, subject)
        if known is None:
            known = self._read_key(subject)
            self._keys.show(self._tenant, subject, *known)
        return known

    def _read_key(self, subject: str) -> tuple[int, AESGCM]:
        row = self._sql.row(_LAST_KEY, {"tenant": self._tenant, "subject": subject})
        if row is not None and row[1] is not None:
            return row[0], self._cipher(subject, row[0], bytes(row[1]))
        version = row[0] + 1 if row else 1
        data_key, sealed = self._sealer.new_key(self._key_context(subject, version))
        self._sql.run(_ADD_KEY, {
            "tenant": self._tenant, "subject": subject, "version": version, "sealed": sealed, "erased": None,
        })  # fmt: skip
        return version, AESGCM(data_key)

    def _cipher(self, subject: str, version: int, sealed: bytes) -> AESGCM:
        cipher = self._keys.known(sealed)
        if cipher is None:
            cipher = AESGCM(self._sealer.open_key(sealed, self._key_context(subject, version)))
            self._keys.keep(sealed, cipher)
        return cipher

    def _key_context(self, subject: str, version: int) -> list[bytes]:
        return [b"ledger/subject-key", self._tenant.encode(), subject.encode(), str(version).encode()]

    def _text_context(self, record: str, name: str, subject: str, salt: bytes) -> list[bytes]:
        parts = (self._tenant, record, name, subject)
        return [_PLACE, *(part.encode() for part in parts), salt]
