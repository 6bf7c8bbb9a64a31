"""Verify a whole delegation envelope, offline: the text, the keys and the directory are all it needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

from remit.authority.attenuation import covers
from remit.authority.credential_hop import read_credential, thumbprint_of
from remit.authority.envelope import (
    WHOLE_TASK,
    Envelope,
    Hop,
    Making,
    Root,
    parse_envelope,
    read_hop,
    read_root,
)
from remit.authority.errors import EnvelopeRejected
from remit.authority.lifetimes import CLOCK_SKEW
from remit.authority.recorded_hop import read_recorded
from remit.authority.rights import Ceiling
from remit.kernel.canonical import Digest, Json
from remit.kernel.errors import Invalid
from remit.kernel.ids import AgentId, InstanceId, TaskId, TenantId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwt import VerifiedJwt
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.jose.profiles import TokenType

Claims = TypeVar("Claims", Root, Hop)
_READERS: Final[dict[TokenType, Callable[[Mapping[str, Json]], Hop]]] = {
    TokenType.HOP: read_hop,
    TokenType.CREDENTIAL_HOP: read_credential,
    TokenType.RECORDED_HOP: read_recorded,
}


class Delegates(Protocol):
    """What the verifier must know of the directory; one tenant's, as everything here."""

    def agent_of(self, instance: InstanceId) -> AgentId | None:
        """The agent that a living instance belongs to; None if it is unknown or dead."""

    def holds_key(self, instance: InstanceId, thumbprint: str, at: datetime) -> bool:
        """Whether a registered key of that very instance, by RFC 7638 thumbprint, is good at that moment."""

    def is_source(self, subject: str) -> bool:
        """Whether a root may come from it: a known human, or a registered trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEnvelope:
    """An envelope that holds from root to end. Its `text` is not kept: `digest` names it."""

    tenant: TenantId
    digest: Digest
    root: Root
    hops: tuple[Hop, ...]
    digests: tuple[Digest, ...]
    """Digest of each prefix, the root first; the last one is `digest`."""

    @property
    def task(self) -> TaskId:
        """The task that all parts name."""
        return self.root.task

    @property
    def holder(self) -> AgentId:
        """The one agent that may act on it now: the last `next`, or the root's `may_act`."""
        return self.hops[-1].next if self.hops else self.root.may_act

    @property
    def ceiling(self) -> Ceiling:
        """What the last part allows; each part before it allows at least that."""
        return self.hops[-1].ceiling if self.hops else self.root.ceiling

    @property
    def bound_to(self) -> str:
        """The key that its holder must show, as canonical JSON; empty where it is bound to none."""
        return self.hops[-1].holder if self.hops else ""

    @property
    def scope(self) -> str:
        """What tokens that come of it may have at most: the root's words, or fewer."""
        return _scope_of(self.root, self.hops)

    @property
    def stands_on(self) -> tuple[str, ...]:
        """Ids of tokens with which it ends, from all its parts."""
        return tuple(dict.fromkeys(ident for hop in self.hops for ident in hop.stands_on))

    @property
    def instances(self) -> tuple[InstanceId, ...]:
        """Who delegated, first agent first; the holder's instance is not among them."""
        return tuple(hop.issuer for hop in self.hops)

    @property
    def agents(self) -> tuple[AgentId, ...]:
        """All agents of the chain, the holder last."""
        return (self.root.may_act, *(hop.next for hop in self.hops))

    @property
    def expires_at(self) -> datetime:
        """When it ends; each part's end lies no later than its parent's."""
        return self.hops[-1].expires_at if self.hops else self.root.expires_at


class EnvelopeVerifier:
    """Verifies envelopes of one tenant and trust domain.

    1 size and form   2 root: our key, type, signature, audience, time   3 root: its members are well formed,
    it comes from a known human or trigger   4 hop: registered key of an instance, or ours for a recorded
    one, type, signature, time   5 hop: its members are well formed   6 hop: the key is of the root's tenant,
    a recorded one of the root's issuer   7 hop: it signs the digest of the exact text before it   8 hop: its
    giver is a living instance of the agent that the part before names, by the key that a credential names;
    who asked for a recorded one still has the key with which it asked   9 hop: same task, right position
    10 hop: nothing is wider than in the part before: rights, window, caps, purpose, depth, scope; it neither
    begins earlier nor ends later   11 no agent appears twice

    `bind` is step 12: the envelope is the one of this token. Raises `EnvelopeRejected` with the step.
    """

    def __init__(
        self, *, trust_domain: str, roots: KeyLookup, delegates: KeyLookup, directory: Delegates
    ) -> None:
        self._trust_domain = trust_domain
        self._roots = roots
        self._delegates = delegates
        self._directory = directory

    def verify(self, text: str, *, at: datetime) -> VerifiedEnvelope:
        """Run steps 1 to 11. Cost: one signature per part."""
        envelope = parse_envelope(text)
        token, root = self._root(envelope.parts[0], at)
        hops: list[Hop] = []
        for position in range(1, len(envelope.parts)):
            hops.append(self._hop(envelope, position, token, root, hops, at))
        return VerifiedEnvelope(
            tenant=token.record.tenant,
            digest=envelope.digest,
            root=root,
            hops=tuple(hops),
            digests=tuple(envelope.prefix(count) for count in range(1, len(envelope.parts) + 1)),
        )

    def _root(self, part: str, at: datetime) -> tuple[VerifiedJwt, Root]:
        with _step(2, 0):
            token = jwt.verify(
                part, as_type=TokenType.ENVELOPE, keys=self._roots, at=at, audience=self._trust_domain
            )
        root = _read(read_root, token.claims.members, 3, 0)
        self._check_source(root)
        return token, root

    def _hop(
        self,
        envelope: Envelope,
        position: int,
        root_token: VerifiedJwt,
        root: Root,
        before: list[Hop],
        at: datetime,
    ) -> Hop:
        with _step(4, position):
            kind = _kind(envelope.parts[position])
            token = jwt.verify(
                envelope.parts[position], as_type=kind, keys=self._keys_of(kind), at=at, audience=None
            )
        hop = _read(_READERS[kind], token.claims.members, 5, position)
        if token.record.tenant != root_token.record.tenant:
            raise EnvelopeRejected(6, "other_tenant", part=position)
        if hop.recorder not in {"", root.issuer}:
            raise EnvelopeRejected(6, "other_issuer", part=position)
        parent: Root | Hop = before[-1] if before else root
        self._check_previous(envelope, position, hop)
        self._check_signer(parent, hop, position)
        self._check_asked(hop, position, at)
        _check_bound(parent, hop.key or token.record.public.thumbprint, position)
        self._check_place(root, hop, position)
        self._check_narrowing(parent, hop, position)
        _check_scope(_scope_of(root, before), hop, position)
        self._check_loop(root, before, hop, position)
        return hop

    def _keys_of(self, kind: TokenType) -> KeyLookup:
        """Where the key of a part must be found, by the type that its header states.

        INVARIANT: no key of an agent makes a recorded hop, and none of ours a signed one.
        """
        return self._roots if kind is TokenType.RECORDED_HOP else self._delegates

    def _check_source(self, root: Root) -> None:
        if not all(self._directory.is_source(each) for each in (root.subject, *root.companions)):
            raise EnvelopeRejected(3, "unknown_source")

    def _check_previous(self, envelope: Envelope, position: int, hop: Hop) -> None:
        if hop.previous != envelope.prefix(position):
            raise EnvelopeRejected(7, "other_prefix", part=position)

    def _check_signer(self, parent: Root | Hop, hop: Hop, position: int) -> None:
        named = parent.next if isinstance(parent, Hop) else parent.may_act
        if self._directory.agent_of(hop.issuer) != named:
            raise EnvelopeRejected(8, "not_the_named_agent", part=position)

    def _check_asked(self, hop: Hop, position: int, at: datetime) -> None:
        if hop.made is Making.EXCHANGED and not self._directory.holds_key(hop.issuer, hop.key, at):
            raise EnvelopeRejected(8, "key_not_held", part=position)

    def _check_place(self, root: Root, hop: Hop, position: int) -> None:
        if hop.task != root.task:
            raise EnvelopeRejected(9, "other_task", part=position)
        if hop.depth != position:
            raise EnvelopeRejected(9, "wrong_position", part=position)

    def _check_narrowing(self, parent: Root | Hop, hop: Hop, position: int) -> None:
        # A parent of depth 0 allows no hop at all; a hop keeps at most one level less than its parent.
        if hop.ceiling.depth >= parent.ceiling.depth:
            raise EnvelopeRejected(10, "too_deep", part=position)
        if not covers(parent.ceiling, hop.ceiling):
            raise EnvelopeRejected(10, "widened", part=position)
        if hop.expires_at > parent.expires_at or hop.issued_at < parent.issued_at - CLOCK_SKEW:
            raise EnvelopeRejected(10, "outlives_parent", part=position)

    def _check_loop(self, root: Root, before: list[Hop], hop: Hop, position: int) -> None:
        if hop.next in {root.may_act, *(earlier.next for earlier in before)}:
            raise EnvelopeRejected(11, "loop", part=position)


def bind(
    envelope: VerifiedEnvelope, *, task: TaskId | None, digest: Digest | None, agent: AgentId, chain: int
) -> None:
    """Step 12: the envelope is that of this token: same task, same bytes, held by its agent, same length.

    `chain` is how many instances the token's chain has. Raises `EnvelopeRejected`.
    """
    if task != envelope.task:
        raise EnvelopeRejected(12, "other_task")
    if digest != envelope.digest:
        raise EnvelopeRejected(12, "other_envelope")
    if agent != envelope.holder:
        raise EnvelopeRejected(12, "not_the_holder")
    if chain != len(envelope.hops) + 1:
        raise EnvelopeRejected(12, "other_chain")


def require_envelope(text: str, *, chain: int) -> None:
    """Refuse a chain of several that shows no envelope (DE-17): a missing one is never taken for a root."""
    if not text and chain > 1:
        raise EnvelopeRejected(12, "missing")


def _kind(part: str) -> TokenType:
    """A credential or recorded hop says that it is one; what says anything else is a signed one, or none."""
    typ = jws.read_header(jws.take_apart(part).protected).typ
    return next((kind for kind in _READERS if kind == typ), TokenType.HOP)


def _check_bound(parent: Root | Hop, thumbprint: str, position: int) -> None:
    """A credential is for one key: no other of its holder goes on with it."""
    held = parent.holder if isinstance(parent, Hop) else ""
    if held and thumbprint != thumbprint_of(held):
        raise EnvelopeRejected(8, "not_the_bound_key", part=position)


def _scope_of(root: Root, hops: Sequence[Hop]) -> str:
    """The scope in force behind these parts."""
    return next((hop.scope for hop in reversed(hops) if hop.scope), root.scope)


def _check_scope(held: str, hop: Hop, position: int) -> None:
    """A hop without words of its own leaves them as they are."""
    names = frozenset(held.split())
    if WHOLE_TASK not in names and not frozenset(hop.scope.split()) <= names:
        raise EnvelopeRejected(10, "scope_widened", part=position)


def _read(
    reader: Callable[[Mapping[str, Json]], Claims], members: Mapping[str, Json], step: int, part: int
) -> Claims:
    try:
        return reader(members)
    except (KeyError, TypeError, ValueError, OverflowError, OSError, Invalid) as broken:
        raise EnvelopeRejected(step, "malformed", part=part) from broken


@contextmanager
def _step(number: int, part: int) -> Iterator[None]:
    """Turn a token's refusal into the envelope's own, keeping the reason for the record."""
    try:
        yield
    except TokenRejected as rejected:
        raise EnvelopeRejected(number, rejected.reason, part=part) from rejected
