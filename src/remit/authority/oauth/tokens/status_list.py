"""Token status lists (draft-ietf-oauth-status-list-21): one bit per token, for whoever can't ask each time.

A list is public and tells nothing of whose token has which place: places are drawn at random. Its bound is
its `ttl`; a kill is seen sooner by everybody who asks us.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.places import Place, uri_of
from remit.authority.tasks import Lineage
from remit.kernel.canonical import JsonObject, b64u
from remit.kernel.errors import Unavailable
from remit.kernel.ids import Entropy

SIZE: Final = 1 << 15
"""Places of one list: 4 KiB of bits."""
TTL: Final = timedelta(seconds=60)
LIFE: Final = timedelta(minutes=5)
BITS: Final = 1
VALID: Final = 0
INVALID: Final = 1
_DRAWS: Final = 8
_PARTS: Final = 64
_PLACE_BYTES: Final = 3


class NoPlace(Unavailable):
    """Every list of this hour is as good as full; nothing is issued that could not be taken back."""

    code = "status_list_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEntry:
    """A token's place in a list, and what it stands on: it is invalid as soon as any of that has ended."""

    list: str
    idx: int
    lineage: Lineage
    generation: int
    expires_at: datetime


class Statuses(Protocol):
    """Places in status lists."""

    def take(self, entry: StatusEntry) -> bool:
        """Take a place; False if it is another's."""

    def of(self, name: str) -> Sequence[StatusEntry]:
        """All places of a list that are taken."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop places of tokens that ended before that moment; how many."""


def take_place(statuses: Statuses, token: AccessToken, lineage: Lineage, *, entropy: Entropy) -> Place:
    """Draw a place at random in a list of the hour in which the token ends.

    Raises `NoPlace` rather than give out places in an order that would tell when tokens were issued.
    """
    hour = token.expires_at.strftime("%Y%m%d%H")
    for part in range(_PARTS):
        name = f"{hour}-{part}"
        for _ in range(_DRAWS):
            idx = int.from_bytes(entropy(_PLACE_BYTES), "big") % SIZE
            entry = StatusEntry(
                list=name,
                idx=idx,
                lineage=lineage,
                generation=token.generation,
                expires_at=token.expires_at,
            )
            if statuses.take(entry):
                return Place(list=name, idx=idx)
    raise NoPlace("no status list has a free place; nothing is issued")


def pack(invalid: Iterable[int]) -> str:
    """The `lst` of a list: bits with the least significant first (§4.1), zlib, base64url."""
    bits = bytearray(SIZE // 8)
    for idx in invalid:
        bits[idx >> 3] |= INVALID << (idx & 7)
    return b64u(zlib.compress(bytes(bits), 9))


def claims(issuer: str, name: str, lst: str, *, at: datetime) -> JsonObject:
    """What a status list token says (§5.1)."""
    issued = int(at.timestamp())
    return {
        "iss": issuer,
        "sub": uri_of(issuer, name),
        "iat": issued,
        "exp": issued + int(LIFE.total_seconds()),
        "ttl": int(TTL.total_seconds()),
        "status_list": {"bits": BITS, "lst": lst},
    }
