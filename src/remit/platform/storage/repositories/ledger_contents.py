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
from remit.platform.storage.sql import Row, Sql
from remit.platform.storage.tables.ledger import ledger_content as content
from remit.platform.storage.tables.ledger import subject_key as key

KEY_SIZE: Final = 32
_NONCE: Final = 12
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

    def seal_text(self, data_key: bytes, text: str, context: Sequence[bytes]) -> bytes:
        """Nonce, then the encrypted text with its tag."""
        nonce = self.entropy(_NONCE)
        return nonce + AESGCM(data_key).encrypt(nonce, text.encode(), _framed(context))

    def open_text(self, data_key: bytes, sealed: bytes, context: Sequence[bytes]) -> str:
        """The text again. Raises `LedgerDamaged` if a byte of it, its salt or its place was changed."""
        try:
            return AESGCM(data_key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _framed(context)).decode()
        except InvalidTag as broken:
            raise LedgerDamaged("a sealed text of the ledger was changed") from broken


def _framed(context: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in context)


OpenKeys = dict[tuple[TenantId, str], tuple[int, bytes]]
"""Tenant and subject to version and open key."""


class ContentRows:
    """Seals and opens the texts of one tenant; `keys` are those that this batch has opened so far."""

    def __init__(
        self, sql: Sql, sealer: KekSealer, tenant: TenantId, *, keys: OpenKeys | None = None
    ) -> None:
        self._sql = sql
        self._sealer = sealer
        self._tenant = tenant
        self._keys: OpenKeys = {} if keys is None else keys

    def add(self, record: str, name: str, subject: str, salt: bytes, text: str) -> None:
        """Seal one text under its subject's present key."""
        version, data_key = self._present_key(subject)
        sealed = self._sealer.seal_text(data_key, text, self._text_context(record, name, subject, salt))
        self._sql.run(_ADD_CONTENT, {
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

    def erase(self, subject: str, *, at: datetime) -> int:
        """Shred every key of a subject.

        SAFETY: what remains in freed pages and in backups is sealed under the key-encryption key, and only
        for as long as those exist.
        """
        self._keys.pop((self._tenant, subject), None)
        return self._sql.run(_SHRED, {"of": self._tenant, "whom": subject, "at": micros(at)})

    def _open(self, record: RecordId, row: Row) -> Disclosed:
        name, subject, version, salt, sealed = row
        found = self._sql.row(_KEY, {"tenant": self._tenant, "subject": subject, "version": version})
        text = None
        if found is not None and found[0] is not None:
            data_key = self._sealer.open_key(bytes(found[0]), self._key_context(subject, version))
            context = self._text_context(record, name, subject, bytes(salt))
            text = self._sealer.open_text(data_key, bytes(sealed), context)
        return Disclosed(record=record, name=name, subject=subject, salt=bytes(salt), text=text)

    def _present_key(self, subject: str) -> tuple[int, bytes]:
        name = (self._tenant, subject)
        known = self._keys.get(name)
        if known is None:
            known = self._keys[name] = self._read_key(subject)
        return known

    def _read_key(self, subject: str) -> tuple[int, bytes]:
        row = self._sql.row(_LAST_KEY, {"tenant": self._tenant, "subject": subject})
        if row is not None and row[1] is not None:
            return row[0], self._sealer.open_key(bytes(row[1]), self._key_context(subject, row[0]))
        version = row[0] + 1 if row else 1
        data_key, sealed = self._sealer.new_key(self._key_context(subject, version))
        self._sql.run(_ADD_KEY, {
            "tenant": self._tenant, "subject": subject, "version": version, "sealed": sealed, "erased": None,
        })  # fmt: skip
        return version, data_key

    def _key_context(self, subject: str, version: int) -> list[bytes]:
        return [b"ledger/subject-key", self._tenant.encode(), subject.encode(), str(version).encode()]

    def _text_context(self, record: str, name: str, subject: str, salt: bytes) -> list[bytes]:
        parts = (self._tenant, record, name, subject)
        return [b"ledger/content", *(part.encode() for part in parts), salt]
