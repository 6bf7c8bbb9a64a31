"""What one record says: prompt to action, by ids and digests."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from remit.kernel.canonical import Digest
from remit.kernel.ids import RecordId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Clear text that belongs to a record but not into the tree: sealed at rest, erasable by subject.

    The record holds `SHA-256(salt || text)`; the salt (16 random bytes) is stored with the sealed text,
    so a digest in the tree says nothing about a short text.
    """

    name: str
    """Role of the text: `goal`, `arguments`, `sentence`, `result`, `card`, `consent`."""
    subject: str
    """Principal whose data it is; erasure shreds that subject's key."""
    text: str


class Record(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """One fact of the log, before it has a place in it.

    A `msgspec.Struct` and no dataclass, because one is made for every fact there is: made in a tenth of the
    time, and encoded as it stands. Its members in this order, those that hold their default left out, are its
    one encoding (`encoding`).

    `kind` names the fact: `wing.subject.verb_past` (`decision.action.decided`, `authority.task.started`).
    Ids join the records of one action: task → decision → capability → call. Empty = does not apply.
    """

    id: RecordId
    at: datetime
    tenant: TenantId
    kind: str
    actor: str
    """Who caused it: instance, human, or `system`."""
    user: str = ""
    owner: str = ""
    """The accountable human as of this moment (R138)."""
    agent: str = ""
    task: str = ""
    purpose: str = ""
    mode: str = ""
    initiative: str = ""
    chain: tuple[str, ...] = ()
    envelope: str = ""
    grant: str = ""
    decision: str = ""
    capability: str = ""
    call: str = ""
    approval: str = ""
    action: str = ""
    resource: str = ""
    tool: str = ""
    effect: str = ""
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    policy_version: str = ""
    revision: int = 0
    epoch: int = 0
    subject: str = ""
    """What it is about, when that is no action: the agent registered, the key rotated, the kill target."""
    digests: tuple[tuple[str, Digest], ...] = ()
    """Named digests: `arguments`, `goal`, `tool`, `result`, `token` (of a jti), …"""
    detail: tuple[tuple[str, str], ...] = ()
    """Further ids, codes and counts; never free text from agents or people."""
