"""Which ids a record names: what it can be found by."""

import re
from collections.abc import Set  # noqa: PYI025  # it is no builtin `set`: callers may only look
from typing import Final

from remit.kernel.canonical import sha256
from remit.ledger.record import Record

MAX_IDENT: Final = 200
_ID = re.compile(r"[a-z]{3}_[0-9A-HJKMNP-TV-Z]{36}")
_TOKEN: Final = "token"  # noqa: S105  # the name of a detail, not a token


def index_key(ident: str) -> str:
    """The key of an id in the index: itself, or a digest of one that no index would take."""
    return ident if len(ident) <= MAX_IDENT else f"sha256:{sha256(ident.encode(errors='surrogatepass'))}"


def mentions(record: Record) -> Set[str]:
    """Every id, resource and token digest by which a reader may ask for this record."""
    named = {
        record.id, record.actor, record.user, record.agent, record.task, record.envelope, record.grant,
        record.decision, record.capability, record.call, record.approval, record.resource, record.subject,
        *record.chain,
    }  # fmt: skip
    if record.detail:
        named.update(value for name, value in record.detail if name == _TOKEN)
        named.update(
            ident for _, value in record.detail for ident in value.split(" ") if _ID.fullmatch(ident)
        )
    for name, value in record.digests:
        if name == _TOKEN:
            named.add(value)
    named.discard("")
    if max(map(len, named), default=0) <= MAX_IDENT:
        return named
    return {index_key(ident) for ident in named}
