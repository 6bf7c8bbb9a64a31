"""A channel: one way by which messages leave, with its secrets sealed and its health in plain sight."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from remit.kernel.ids import TenantId
from remit.oversight.notices.errors import ChannelInvalid

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
URL_LIMIT: Final = 2048
OVERLAP: Final = timedelta(hours=24)
"""How long a webhook is signed with the secret before the last one too, so that nobody misses a change."""
_MAIL: Final = re.compile(r"[^@\s<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9.-]{1,253}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{5,14}")
_MEMBER: Final = re.compile(r"[UW][A-Z0-9]{5,20}")


class ChannelKind(StrEnum):
    """Which transport carries it."""

    WEB_PUSH = "web_push"
    MAIL = "mail"
    SMS = "sms"
    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"


class ChannelState(StrEnum):
    """Whether messages go through it."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


SCHEMES: Final = {
    ChannelKind.WEB_PUSH: frozenset({""}),
    ChannelKind.MAIL: frozenset({"smtp", "smtps"}),
    ChannelKind.SMS: frozenset({"https", "http"}),
    ChannelKind.SLACK: frozenset({"https", "http"}),
    ChannelKind.TEAMS: frozenset({"https", "http"}),
    ChannelKind.WEBHOOK: frozenset({"https", "http"}),
}
"""Plain HTTP leads to hosts that the operator registered only; the way out itself holds that."""
BEARER: Final = frozenset({ChannelKind.SLACK, ChannelKind.TEAMS})
"""Kinds whose address is itself the secret: whoever has it can write there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a channel has done lately."""

    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failures: int = 0
    """In a row."""
    why: str = ""
    """The last failure, in a few words."""

    @property
    def well(self) -> bool:
        """Whether the last try went through, or there was none."""
        return self.failures == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way out. `url` is empty where the address is a secret; `host` says whom it leads to."""

    tenant: TenantId
    name: str
    kind: ChannelKind
    state: ChannelState = ChannelState.ACTIVE
    url: str = ""
    host: str = ""
    sender: str = ""
    """Mail: the From address. SMS: the number. Web Push: the contact in `sub` (RFC 8292 §2.1)."""
    account: str = ""
    """Mail: user name. SMS: account id; empty speaks the signed JSON webhook instead of a provider's form."""
    agent: str = ""
    """Webhook: the agent that is told what became of its asks; empty: people are told."""
    answers: bool = False
    """Slack: whether cards of low risk carry buttons."""
    public: str = ""
    """Web Push: the public half of our key, base64url (RFC 8292 §3.2)."""
    made_at: datetime
    rotated_at: datetime | None = None
    health: Health = Health()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What must not be seen of a channel. Sealed where it rests, never logged."""

    key: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    before: str = field(default="", repr=False)
    """The key before the last change, while both are valid."""


def place_of(tenant: TenantId | str, name: str) -> Sequence[bytes]:
    """The context that a channel's secrets are sealed for."""
    return [b"oversight/channel", tenant.encode(), name.encode()]


def device_place(tenant: TenantId | str, ident: str) -> Sequence[bytes]:
    """The context that a browser's subscription is sealed for."""
    return [b"oversight/push-device", tenant.encode(), ident.encode()]


def checked(channel: Channel, secrets: Secrets) -> Channel:
    """The channel with its host, if it could carry anything. Raises `ChannelInvalid`."""
    if not NAME.fullmatch(channel.name):
        raise _wrong(f"name `{channel.name[:48]}` is not 1 to 40 of a-z, 0-9 and `-`, a letter first")
    address = secrets.url or channel.url
    host = _host(channel.kind, address)
    match channel.kind:
        case ChannelKind.WEB_PUSH if not channel.sender.startswith(("mailto:", "https://")):
            raise _wrong("web push names a contact: `--from mailto:user@company.com` (RFC 8292 §2.1)")
        case ChannelKind.MAIL if not _MAIL.fullmatch(channel.sender):
            raise _wrong("mail is sent from an address: `--from user@company.com`")
        case ChannelKind.SMS if channel.account and not _PHONE.fullmatch(channel.sender):
            raise _wrong("a provider sends from a number: `--from +15550100`")
        case ChannelKind.SLACK if channel.answers and not secrets.key:
            raise _wrong("buttons need Slack's signing secret: `--secret-stdin`")
        case _:
            pass
    if channel.agent and channel.kind is not ChannelKind.WEBHOOK:
        raise _wrong("an agent is told by a webhook only")
    if channel.answers and channel.kind is not ChannelKind.SLACK:
        raise _wrong("only Slack has buttons that answer")
    return replace(channel, host=host)


def check_address(channel: Channel, address: str) -> str:
    """A person's address on a channel. Raises `ChannelInvalid`."""
    shapes = {ChannelKind.MAIL: _MAIL, ChannelKind.SMS: _PHONE, ChannelKind.SLACK: _MEMBER}
    shape = shapes.get(channel.kind)
    optional = channel.kind in {ChannelKind.MAIL, ChannelKind.SLACK}
    if shape is None:
        if address:
            raise _wrong(f"`{channel.name}` takes no address: it leads where it was set up to lead")
        return ""
    if not address and optional:
        return ""
    if not shape.fullmatch(address):
        raise _wrong(f"`{address[:64]}` is no address on `{channel.name}`: {_LIKE[channel.kind]}")
    return address


_LIKE: Final = {
    ChannelKind.MAIL: "mail takes `user@company.com`",
    ChannelKind.SMS: "SMS takes a number such as `+15550100`",
    ChannelKind.SLACK: "Slack takes a member id such as `U0123ABCD`",
}


def _host(kind: ChannelKind, address: str) -> str:
    if len(address) > URL_LIMIT:
        raise _wrong(f"the address has {len(address)} characters, the limit is {URL_LIMIT}")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as broken:
        raise _wrong("the address is no URL") from broken
    if parts.scheme not in SCHEMES[kind] or bool(host) == (kind is ChannelKind.WEB_PUSH):
        wanted = " or ".join(f"`{each}://`" for each in sorted(SCHEMES[kind]) if each)
        raise _wrong(f"{kind} takes an address with {wanted}" if wanted else f"{kind} takes no address")
    if parts.username is not None or parts.fragment:
        raise _wrong("the address holds a user name or a fragment; credentials go to `--secret-stdin`")
    return host if port is None else f"{host}:{port}"


def _wrong(told: str) -> ChannelInvalid:
    return ChannelInvalid(told, next_step="remit channel add --help")


def tried(health: Health, *, at: datetime, why: str = "") -> Health:
    """Health after one more try; `why` is empty for one that went through."""
    if not why:
        return replace(health, succeeded_at=at, failures=0, why="")
    return replace(health, failed_at=at, failures=health.failures + 1, why=why[:64])
