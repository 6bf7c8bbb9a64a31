"""Administration as the API shows it: roles, the rules behind them, and answers to "may they"."""

from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec

from remit.decision.administration.actions import AdminAction
from remit.decision.administration.judging import AdminAnswer
from remit.decision.administration.repository import PublishedRoles
from remit.decision.administration.service import Role
from remit.decision.policy.errors import Fault
from remit.surface.web.schemas.words import Ident, Text


class RoleHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a role."""

    id: str
    name: str
    state: str


class RoleRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that names a role, and why it is there."""

    id: str
    reason: str = ""


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """A role: what is ruled about it, and who holds it."""

    name: str
    rules: list[RoleRule]
    """None where it means something beside the rules alone: `approver` is asked, `operator` opens tenants."""
    holders: list[RoleHolder]

    @classmethod
    def of(cls, role: Role) -> Self:
        """From the service."""
        return cls(
            name=role.name,
            rules=[RoleRule(id=ident, reason=why) for ident, why in role.rules],
            holders=[RoleHolder(id=each.id, name=each.name, state=each.state) for each in role.holders],
        )


class RoleGift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom a role is given, or from whom it is taken: by id or name."""

    user: Ident


class HeldRoles(msgspec.Struct, frozen=True, kw_only=True):
    """What a person holds now."""

    user: str
    name: str
    roles: list[str]


class RulesText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An administrative policy."""

    text: Text


class NewRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An administrative policy in the place of version `over`, which is the one that was edited."""

    text: Text
    over: Annotated[int, msgspec.Meta(ge=0, le=9_007_199_254_740_991)]


class RulesFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a text."""

    rule: str
    sentence: str
    line: int = 0
    column: int = 0
    hint: str = ""

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """From the domain."""
        return cls(
            rule=fault.policy, sentence=fault.sentence, line=fault.line, column=fault.column, hint=fault.hint
        )


class RulesCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a text could be published."""

    good: bool
    faults: list[RulesFault]


class RulesView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version; 0 is what is shipped, by nobody."""

    version: int
    digest: str
    text: str = ""
    published_by: str = ""
    published_at: datetime | None = None

    @classmethod
    def of(cls, version: PublishedRoles, *, text: bool = False) -> Self:
        """From the store."""
        return cls(
            version=version.number,
            digest=version.digest,
            text=version.text if text else "",
            published_by=version.published_by,
            published_at=version.published_at,
        )


class AdminActionView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be done here, and the groups that a rule may name in its place."""

    action: str
    groups: list[str]
    changes: bool

    @classmethod
    def of(cls, action: AdminAction) -> Self:
        """From the catalogue."""
        return cls(action=action.name, groups=list(action.groups), changes=not action.reads)


class MayQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """May this person do that: signed in by passkey just now, or with a key of theirs (`token`)."""

    user: Ident
    action: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    channel: Literal["session", "token"] = "session"


class MayView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, for whatever there is and for what is their own."""

    user: str
    name: str
    action: str
    everything: bool
    """Whether to whatever there is."""
    own: bool
    """Whether to what is their own."""
    rules: list[str]
    """Those that say so."""
    because: str
    """Why not to whatever there is."""

    @classmethod
    def of(
        cls, user: str, name: str, action: AdminAction, whole: AdminAnswer, own: AdminAnswer, *, by_rank: bool
    ) -> Self:
        """From the two answers; what is about the whole installation nobody does to their own alone."""
        mine = own.allowed and not by_rank
        decides = whole if whole.allowed or not mine else own
        return cls(
            user=user,
            name=name,
            action=action.name,
            everything=whole.allowed,
            own=whole.allowed or mine,
            rules=list(decides.rules),
            because="" if whole.allowed else whole.because(action),
        )
