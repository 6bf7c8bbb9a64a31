"""The delegation envelope: a root that we sign, then one hop per delegation, signed by who delegates.

Text `root~hop1~hop2…`. The root is a transaction token (draft-ietf-oauth-transaction-tokens, `txntoken+jwt`),
a hop a JWS of our own type (`remit-env+jwt`), a credential (`credential_hop`), or what we recorded when
somebody asked us to hand on (`recorded_hop`). Each hop signs the digest of the exact text before it, so no
part can be taken out, added or exchanged. Pure: `verify` holds the numbered procedure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from remit.authority.attenuation import meet
from remit.authority.ceiling_json import ceiling_from_json, ceiling_to_json
from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge, Widened
from remit.authority.lifetimes import ENVELOPE_PART_CEILING
from remit.authority.rights import MAX_DEPTH, Ceiling
from remit.kernel.canonical import Digest, Json, JsonObject, sha256
from remit.kernel.ids import AgentId, InstanceId, TaskId, UserId
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import Signer
from remit.kernel.jose.profiles import TokenType

SEPARATOR: Final = "~"
NAMESPACE: Final = "dev.remit"
"""The one member of a root that is ours alone."""
WHOLE_TASK: Final = "task"
"""The scope of a root that stands for all scopes that a task's tokens may have."""
TEXT_LIMIT: Final = (MAX_DEPTH + 1) * (ENVELOPE_PART_CEILING + 1)


class Delegation(StrEnum):
    """How a hop hands authority on (N23)."""

    ATTENUATE = "attenuate"
    """The next agent gets a part of what the delegating one holds."""
    BROKER = "broker"
    """The next agent is a named worker under its own rights; the user's authority stays the limit."""


class Making(StrEnum):
    """How a link of a chain was made (R32)."""

    SIGNED = "signed"
    """The giver signed it by itself."""
    CREDENTIAL = "credential"
    """The giver signed it as a verifiable credential for one key of the next."""
    EXCHANGED = "exchanged"
    """The giver asked us for it by token exchange, and we signed what we saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What a task hands to its first agent: whose intent, for which purpose, within what.

    `subject` is the user, or the trigger of an autonomous task; `may_act` the one agent that may begin.
    """

    issuer: str
    trust_domain: str
    subject: str
    task: TaskId
    purpose: str
    goal: Digest
    ceiling: Ceiling
    may_act: AgentId
    scope: str
    requester: str
    """Who asked for it (`req_wl`): the user's client."""
    issued_at: datetime
    expires_at: datetime
    companions: tuple[UserId, ...] = ()
    """Who else the task is for: what comes of it is theirs too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One delegation by the instance `issuer`, as it was signed. `depth` counts from 1."""

    issuer: InstanceId
    next: AgentId
    kind: Delegation
    ceiling: Ceiling
    task: TaskId
    depth: int
    previous: Digest
    issued_at: datetime
    expires_at: datetime
    holder: str = ""
    """The key that whoever comes next must show, as canonical JSON; empty where any of theirs will do."""
    made: Making = Making.SIGNED
    recorder: str = ""
    """Whose issuer recorded an exchanged one; empty for what its giver signed."""
    key: str = ""
    """Thumbprint of the key with which the giver of an exchanged one asked."""
    scope: str = ""
    """What tokens that come of it may have at most; empty where that is as for the part before."""
    stands_on: tuple[str, ...] = ()
    """Ids of tokens, and of what they stand on, with which an exchanged one ends."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope's parts, none of them verified."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The exact text that was or will be sent."""
        return SEPARATOR.join(self.parts)

    @property
    def digest(self) -> Digest:
        """What a token's `env` names: SHA-256 of the exact text."""
        return text_digest(self.text)

    def prefix(self, count: int) -> Digest:
        """Digest of the exact text of the first `count` parts: what hop `count` signs as `prev`."""
        return text_digest(SEPARATOR.join(self.parts[:count]))


def text_digest(text: str) -> Digest:
    """SHA-256 of the exact ASCII of an envelope or of a prefix; never of a re-encoding (DE-15)."""
    return sha256(text.encode("ascii"))


def parse_envelope(text: str) -> Envelope:
    """Split an envelope, size first: at most 11 parts of at most 16 KiB each.

    Raises `EnvelopeTooLarge`, or `EnvelopeRejected` at step 1 for anything that is no row of JWS.
    """
    if len(text) > TEXT_LIMIT:
        raise EnvelopeTooLarge(f"envelope has {len(text)} characters, the limit is {TEXT_LIMIT}")
    hops = text.count(SEPARATOR)
    if hops > MAX_DEPTH:
        raise EnvelopeTooLarge(f"envelope has {hops} hops, the limit is {MAX_DEPTH}")
    if not text.isascii():
        raise EnvelopeRejected(1, "not_ascii")
    parts = tuple(text.split(SEPARATOR))
    for position, part in enumerate(parts):
        if len(part) > ENVELOPE_PART_CEILING:
            raise EnvelopeTooLarge(
                f"part {position} has {len(part)} bytes, the limit is {ENVELOPE_PART_CEILING}"
            )
        if not part:
            raise EnvelopeRejected(1, "empty_part", part=position)
    return Envelope(parts)


def issue_root(root: Root, *, signer: Signer) -> str:
    """Sign the root of a task's envelope with our envelope key; the result is the whole envelope so far."""
    claims: dict[str, Json] = {
        "iss": root.issuer,
        "aud": root.trust_domain,
        "sub": root.subject,
        "txn": root.task,
        "iat": _seconds(root.issued_at),
        "exp": _seconds(root.expires_at),
        "purp": root.purpose,
        "goal": root.goal,
        "ceiling": ceiling_to_json(root.ceiling),
        "may_act": {"sub": root.may_act},
        "scope": root.scope,
        "req_wl": root.requester,
    }
    if root.companions:
        claims[NAMESPACE] = {"with": [*root.companions]}
    return sized(jwt.issue(claims, as_type=TokenType.ENVELOPE, signer=signer))


def hop_claims(hop: Hop) -> JsonObject:
    """What the delegating instance signs, with its own key, as `remit-env+jwt`."""
    return {
        "iss": hop.issuer,
        "next": hop.next,
        "kind": hop.kind.value,
        "ceiling": ceiling_to_json(hop.ceiling),
        "txn": hop.task,
        "depth": hop.depth,
        "prev": hop.previous,
        "iat": _seconds(hop.issued_at),
        "exp": _seconds(hop.expires_at),
    }


def sign_hop(text: str, hop: Hop, *, signer: Signer) -> str:
    """Extend an envelope by one hop: what an agent does before it hands the text on."""
    return text + SEPARATOR + sized(jwt.issue(hop_claims(hop), as_type=TokenType.HOP, signer=signer))


def next_hop(
    text: str,
    parent: Ceiling,
    *,
    by: InstanceId,
    to: AgentId,
    kind: Delegation,
    wanted: Ceiling,
    task: TaskId,
    at: datetime,
    expires_at: datetime,
) -> Hop:
    """Build the hop that gives `to` what `wanted` and the parent have in common, one level less deep.

    `parent` is the ceiling of the envelope's last part. Raises `Widened` if the parent allows no further hop.
    """
    if parent.depth < 1:
        raise Widened("the delegation may go no deeper")
    met = meet(parent, wanted)
    ceiling = Ceiling(
        rights=met.rights,
        window=met.window,
        caps=met.caps,
        depth=min(met.depth, parent.depth - 1),
        purpose=met.purpose,
    )
    return Hop(
        issuer=by,
        next=to,
        kind=kind,
        ceiling=ceiling,
        task=task,
        depth=text.count(SEPARATOR) + 1,
        previous=text_digest(text),
        issued_at=at,
        expires_at=expires_at,
    )


def read_root(members: Mapping[str, Json]) -> Root:
    """Read the claims of a verified root. A wrong shape raises `KeyError`, `TypeError` or an `Invalid`."""
    may_act = members["may_act"]
    if not isinstance(may_act, dict) or may_act.keys() != {"sub"}:
        raise TypeError("may_act")
    return Root(
        issuer=_text(members["iss"]),
        trust_domain=_text(members["aud"]),
        subject=_text(members["sub"]),
        task=TaskId(_text(members["txn"])),
        purpose=_text(members["purp"]),
        goal=_text(members["goal"]),
        ceiling=ceiling_from_json(members["ceiling"]),
        may_act=AgentId(_text(may_act["sub"])),
        scope=_text(members["scope"]),
        requester=_text(members["req_wl"]),
        companions=_companions(members),
        issued_at=_moment(members["iat"]),
        expires_at=_moment(members["exp"]),
    )


def _companions(members: Mapping[str, Json]) -> tuple[UserId, ...]:
    """Absent is nobody; a member that is there names at least one, each once."""
    if NAMESPACE not in members:
        return ()
    own = members[NAMESPACE]
    if not isinstance(own, dict) or own.keys() != {"with"} or not isinstance(own["with"], list):
        raise TypeError("with")
    found = tuple(UserId(_text(each)) for each in own["with"])
    if not found or len(set(found)) != len(found):
        raise TypeError("with")
    return found


def read_hop(members: Mapping[str, Json]) -> Hop:
    """Read the claims of a hop whose signature holds. Raises as `read_root` does; an unknown kind too."""
    return Hop(
        issuer=InstanceId(_text(members["iss"])),
        next=AgentId(_text(members["next"])),
        kind=Delegation(_text(members["kind"])),
        ceiling=ceiling_from_json(members["ceiling"]),
        task=TaskId(_text(members["txn"])),
        depth=_integer(members["depth"]),
        previous=_text(members["prev"]),
        issued_at=_moment(members["iat"]),
        expires_at=_moment(members["exp"]),
    )


def sized(part: str) -> str:
    """A part that fits; `EnvelopeTooLarge` for one that does not."""
    if len(part) > ENVELOPE_PART_CEILING:
        raise EnvelopeTooLarge(f"part has {len(part)} bytes, the limit is {ENVELOPE_PART_CEILING}")
    return part


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(value: Json) -> datetime:
    return datetime.fromtimestamp(_integer(value), UTC)


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text")
    return value


def _integer(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("integer")
    return value
