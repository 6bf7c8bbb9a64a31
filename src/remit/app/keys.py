"""The server's own keys, in one holder that every signer and verifier shares and rotation swaps."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.kernel.canonical import JsonObject, b64u_decode
from remit.kernel.errors import Conflict, Invalid, Unavailable
from remit.kernel.ids import Entropy, PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey, Signer
from remit.kernel.jose.rotation import RotationRule
from remit.kernel.sealing import Kek
from remit.kernel.uow import Lane
from remit.ledger import facts
from remit.ledger.checkpoint import LogKey
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

KEYS_LOOKED_AT: Final = 60.0
"""Seconds after which a node looks for keys that another has published: an hour before their first use."""
_FOREVER: Final = timedelta(days=36_500)
RULES: Final[Mapping[KeyClass, RotationRule]] = {
    KeyClass.ACCESS_TOKEN: RotationRule(),
    KeyClass.ENVELOPE: RotationRule(longest_life=timedelta(days=90)),
    KeyClass.CAPABILITY: RotationRule(longest_life=timedelta(seconds=90)),
    KeyClass.APPROVAL_LINK: RotationRule(longest_life=timedelta(days=7)),
    KeyClass.STATEMENT: RotationRule(longest_life=timedelta(minutes=5)),
    KeyClass.JWT_SVID: RotationRule(longest_life=timedelta(minutes=5)),
    # An ID token names a session to end long after it has run out (RP-Initiated Logout §4).
    KeyClass.ID_TOKEN: RotationRule(longest_life=timedelta(days=7)),
    KeyClass.ID_TOKEN_RSA: RotationRule(longest_life=timedelta(days=7)),
    KeyClass.DOMAIN_GRANT: RotationRule(longest_life=timedelta(minutes=5)),
    KeyClass.TRANSACTION: RotationRule(longest_life=timedelta(minutes=5)),
    # Providers keep our set of keys for as long as they like: a day ahead is what most of them bear.
    KeyClass.RELYING_PARTY: RotationRule(publish_ahead=timedelta(days=1), longest_life=timedelta(minutes=5)),
    # Providers pin our certificate and take another from a person's hand: so it changes seldom.
    KeyClass.SAML_REQUEST: RotationRule(use_for=timedelta(days=1095), longest_life=timedelta(minutes=5)),
    # What a provider seals to an older certificate of ours is opened for a season longer.
    KeyClass.SAML_ENCRYPTION: RotationRule(use_for=timedelta(days=1095), longest_life=timedelta(days=90)),
    # A version is believed for as long as it may be in force, or come back.
    KeyClass.POLICY: RotationRule(use_for=timedelta(days=365), longest_life=_FOREVER),
    KeyClass.LEDGER: RotationRule(use_for=timedelta(days=365), longest_life=_FOREVER),
}
"""Every class that this server signs, and how its keys live: a checkpoint is believed for ever."""

ON_DEMAND: Final = frozenset({KeyClass.ID_TOKEN_RSA, KeyClass.SAML_REQUEST, KeyClass.SAML_ENCRYPTION})
"""Classes without a key until somebody needs one; from then on they live like the others."""

FirstUse: TypeAlias = Callable[[SqlTransaction, Signer], None]
"""What is done with the first key that a class ever has, in the commit that makes it."""

_ALGORITHMS: Final = dict.fromkeys(
    (
        KeyClass.JWT_SVID,
        KeyClass.ID_TOKEN,
        KeyClass.DOMAIN_GRANT,
        KeyClass.TRANSACTION,
        KeyClass.RELYING_PARTY,
    ),
    Algorithm.ES256,
) | dict.fromkeys(ON_DEMAND, Algorithm.RS256)
"""JWT-SVID §2.2 knows no EdDSA, nor do many relying parties and other domains; the rest is Ed25519."""


class IssuerChanged(Conflict):
    """The store's keys sign for another issuer than the settings name: everybody would be locked out."""

    code = "issuer_changed"


class NotOurKeys(Invalid):
    """Keys of this class belong to agents and people; they are registered and revoked, never rotated here."""

    code = "key_class_not_ours"


class KeyHolder:
    """The present key ring; a `KeyLookup` and `SigningKeys` that stays the same object over rotations."""

    def __init__(self, *, work: SqlUnitOfWork, kek: Kek, issuer: str, entropy: Entropy) -> None:
        self._work = work
        self._kek = kek
        self._issuer = issuer
        self._entropy = entropy
        self._ring: Keyring | None = None  # OWNED BY: the event loop
        self._looked = (-1, -KEYS_LOOKED_AT)
        """Epoch and second (of a monotonic clock) of the last look at what is stored."""

    async def rotate(
        self, at: datetime, *, first: Mapping[KeyClass, FirstUse] = MappingProxyType({})
    ) -> tuple[KeyRecord, ...]:
        """Take every step that is due for every class, then swap the ring; what changed.

        At the first start it makes the first keys; what `first` does with the first key of a class is in the
        same commit. Raises `KekWrong` before anything is made.
        """

        def work(tx: SqlTransaction) -> tuple[tuple[KeyRecord, ...], Keyring]:
            known = tx.keys.records()
            _check_issuer(known, self._issuer)
            unused = ON_DEMAND - {record.key_class for record in known}
            changed = [
                record
                for key_class in RULES
                if key_class not in unused
                for record in self._stepped(tx, key_class, at)
            ]
            ring = tx.keys.keyring(self._kek)
            for key_class in first.keys() - {record.key_class for record in known}:
                first[key_class](tx, ring.signer(key_class))
            return tuple(changed), ring

        changed, self._ring = await self._work.commit(work)
        return changed

    async def prepare(self, key_class: KeyClass, *, at: datetime) -> None:
        """See that there is a key of a class to sign with: the first one is made now, if there is none.

        CRASH: made and stored in one commit; of two nodes that want it at once, the later finds it there.
        """
        if key_class in self._present().signers:
            return

        def work(tx: SqlTransaction) -> Keyring:
            self._stepped(tx, key_class, at)
            return tx.keys.keyring(self._kek)

        self._ring = await self._work.commit(work)

    def _stepped(self, tx: SqlTransaction, key_class: KeyClass, at: datetime) -> list[KeyRecord]:
        return tx.keys.rotate(
            key_class,
            issuer=self._issuer,
            algorithm=_ALGORITHMS.get(key_class, Algorithm.ED25519),
            rule=RULES[key_class],
            kek=self._kek,
            entropy=self._entropy,
            at=at,
        )

    async def force(
        self, key_class: KeyClass, *, compromised: bool, by: PrincipalId, at: datetime
    ) -> tuple[KeyRecord, ...]:
        """Change the key of a class now, on record; `compromised` kills all that the class ever signed.

        A compromise advances the epoch: whatever was verified or decided before is judged again. Raises
        `NotOurKeys` for a class that this server does not sign.
        """
        rule = RULES.get(key_class)
        if rule is None:
            raise NotOurKeys(
                f"this server signs nothing as `{key_class}`, but {', '.join(f'`{each}`' for each in RULES)}",
                next_step="remit key list",
            )

        def work(tx: SqlTransaction) -> tuple[tuple[KeyRecord, ...], Keyring]:
            if compromised:
                tx.advance_epoch(f"key class {key_class} compromised")
            changed = tx.keys.force(
                key_class,
                compromised=compromised,
                issuer=self._issuer,
                algorithm=_ALGORITHMS.get(key_class, Algorithm.ED25519),
                rule=rule,
                kek=self._kek,
                entropy=self._entropy,
                at=at,
            )
            tx.ledger.append(self._said(tx, key_class, changed, compromised=compromised, by=by, at=at))
            return tuple(changed), tx.keys.keyring(self._kek)

        changed, self._ring = await self._work.commit(work)
        if compromised and key_class is KeyClass.LEDGER:
            await self._grow_others(changed, by=by, at=at)
        return changed

    async def _grow_others(self, changed: Sequence[KeyRecord], *, by: PrincipalId, at: datetime) -> None:
        """Let every log outgrow its last head, which a compromised key signed: the new key signs the next."""
        for lane in Lane:

            def work(tx: SqlTransaction) -> None:
                head = tx.ledger.head()
                signed = tx.ledger.latest_checkpoint(head.shard)
                if signed is not None and signed.size == head.size:
                    tx.ledger.append(self._said(tx, KeyClass.LEDGER, changed, compromised=True, by=by, at=at))

            await self._work.commit(work, lane=lane)

    def _said(
        self,
        tx: SqlTransaction,
        key_class: KeyClass,
        changed: Sequence[KeyRecord],
        *,
        compromised: bool,
        by: PrincipalId,
        at: datetime,
    ) -> Record:
        return Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=tx.tenant,
            kind="platform.key.compromised" if compromised else "platform.key.rotated",
            actor=by,
            subject=next((each.kid for each in changed if each.state is KeyState.ACTIVE), ""),
            epoch=tx.epoch(),
            detail=(("class", key_class), *((each.kid, each.state) for each in changed)),
        )

    async def reload(self) -> None:
        """Swap the ring for what is stored now: another node, or a person, may have changed it."""
        self._ring = await self._work.read(lambda tx: tx.keys.keyring(self._kek))

    async def keep_up(self, epoch: int, *, second: float) -> bool:
        """Look at what is stored if authority has shrunk since the last look, or it is long ago; did it?

        A compromise advances the epoch, so a node that did not make it stops believing the key as soon as it
        hears of any kill (KM-02). `second` is of a monotonic clock.
        """
        before, then = self._looked
        if epoch == before and second - then < KEYS_LOOKED_AT:
            return False
        await self.reload()
        self._looked = (epoch, second)
        return True

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """The record of that id and class, whatever its state."""
        return self._present().find(kid, key_class)

    def signer(self, key_class: KeyClass) -> Signer:
        """The active key of a class."""
        return self._present().signer(key_class)

    def opening(self, key_class: KeyClass, *, at: datetime) -> tuple[PrivateKey, ...]:
        """The keys that open what was sealed to a class."""
        return self._present().opening(key_class, at=at)

    def jwks(self, *, at: datetime) -> JsonObject:
        """Public halves, for `/jwks`."""
        return self._present().jwks(at=at)

    def records(self) -> tuple[KeyRecord, ...]:
        """Every key there ever was, whatever its state."""
        return tuple(self._present().records.values())

    def _present(self) -> Keyring:
        if self._ring is None:
            raise Unavailable("the keys are not loaded yet", next_step="remit doctor")
        return self._ring


def _check_issuer(records: Sequence[KeyRecord], issuer: str) -> None:
    """An installation has one issuer for its life: keys, tokens and checkpoints bear it."""
    others = {record.issuer for record in records if record.issuer != issuer}
    if others:
        known = min(others)
        raise IssuerChanged(
            f"this data belongs to the issuer `{known}`, the settings say `{issuer}`",
            next_step=f"remit up --issuer {known}, or the port that it names",
        )


class LogSigner:
    """`CheckpointSigner`: the ledger's key, under the name of the log (C2SP signed-note)."""

    def __init__(self, keys: KeyHolder, *, name: str) -> None:
        self._keys = keys
        self._name = name

    @property
    def key(self) -> LogKey:
        """The public half, as an auditor keeps it."""
        return self._log_key(self._keys.signer(KeyClass.LEDGER).private.public.jwk())

    def known_keys(self) -> tuple[LogKey, ...]:
        """Every key whose checkpoints are believed: all there ever were, without compromised ones."""
        return tuple(
            self._log_key(record.public.jwk())
            for record in self._keys.records()
            if record.key_class is KeyClass.LEDGER and record.state is not KeyState.COMPROMISED
        )

    def sign(self, message: bytes) -> bytes:
        """Sign the text of a checkpoint."""
        return self._keys.signer(KeyClass.LEDGER).private.sign(message)

    def _log_key(self, jwk: JsonObject) -> LogKey:
        return LogKey(name=self._name, public=b64u_decode(str(jwk["x"])))
