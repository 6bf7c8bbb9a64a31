"""What is said when something enters the directory, and what must be true before it is active (R99)."""

from dataclasses import dataclass, replace
from datetime import datetime

from remit.identity.blueprints import drift
from remit.identity.errors import BlueprintDeviation, NoBlueprint, ParentUnfit
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.spiffe import check_name
from remit.kernel.errors import Invalid, TooLarge
from remit.kernel.ids import BlueprintId, PrincipalId, TaskId, TenantId

PURPOSE_LIMIT = 1024
PROVEN_BY = "proven_by"
"""Attribute of an instance that needs no key of its own: what it proves itself by instead (`client`: its
registration at the authorization server says how)."""
ATTRIBUTES_LIMIT = 64
PARENTS = {
    Kind.INSTANCE: frozenset({Kind.AGENT}),
    Kind.TOOL: frozenset({Kind.MCP_SERVER}),
    Kind.API_KEY: frozenset({Kind.SERVICE_ACCOUNT, Kind.SERVICE_PRINCIPAL, Kind.BOT, Kind.APPLICATION}),
    Kind.OAUTH_TOKEN: frozenset({Kind.SERVICE_ACCOUNT, Kind.SERVICE_PRINCIPAL, Kind.BOT, Kind.HUMAN}),
}
"""Kinds that live only below another one."""
_NAMED_FREELY = frozenset({Kind.HUMAN, Kind.BUSINESS_UNIT, Kind.APPLICATION, Kind.TOOL})
"""Kinds whose name is for people, or for another protocol, and stands in no path of ours."""


class MalformedRegistration(Invalid):
    """A name is empty or not to be printed, or a human has an owner."""

    code = "malformed_registration"


class RegistrationTooLarge(TooLarge):
    """A text or a list of a registration is over its limit."""

    code = "registration_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An entry as its registrar states it; what is left open comes from parent or blueprint."""

    kind: Kind
    name: str
    owner: PrincipalId | None = None
    purpose: str = ""
    environment: Environment | None = None
    parent: PrincipalId | None = None
    blueprint: BlueprintId | None = None
    email: str | None = None
    deputy: PrincipalId | None = None
    person: PrincipalId | None = None
    segments: frozenset[str] | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    task: TaskId | None = None


def draft(
    stated: Registration,
    *,
    ident: PrincipalId,
    tenant: TenantId,
    parent: Principal | None,
    blueprint: Principal | None,
    at: datetime,
) -> Principal:
    """Make the entry, in state `draft`, from what was stated and what stands above it.

    Raises `NoBlueprint`, `ParentUnfit`, `BlueprintDeviation` or an `Invalid` for malformed texts.
    """
    _check_texts(stated)
    _check_parent(stated, parent)
    _check_blueprint(stated, blueprint)
    above = parent if stated.kind in PARENTS else blueprint
    entry = Principal(
        id=ident,
        tenant=tenant,
        kind=stated.kind,
        name=stated.name,
        state=State.DRAFT,
        owner=stated.owner or (parent.owner if parent is not None else None),
        purpose=stated.purpose or (above.purpose if above is not None else ""),
        environment=stated.environment or (above.environment if above is not None else None),
        parent=stated.parent,
        blueprint=stated.blueprint or (parent.blueprint if parent is not None else None),
        email=stated.email,
        deputy=stated.deputy,
        person=stated.person,
        segments=_segments(stated, above),
        attributes=_attributes(stated, above),
        task=stated.task,
        created_at=at,
        changed_at=at,
    )
    refuse_deviation(entry, above)
    return entry


def refuse_deviation(entry: Principal, above: Principal | None) -> None:
    """Refuse an agent that differs from its blueprint, or an instance from its agent (R109)."""
    if above is None or entry.kind not in {Kind.AGENT, Kind.INSTANCE}:
        return
    found = drift(entry, above)
    if found:
        fields = tuple(difference.field for difference in found)
        raise BlueprintDeviation(f"differs from `{above.name}` in {', '.join(fields)}", fields=fields)


def missing_for_activation(principal: Principal, *, has_key: bool) -> tuple[str, ...]:
    """Which fields an entry lacks to become active; a human needs none of them (R99).

    `has_key` is whether a live key is registered for it or, for an agent, for one of its instances.
    """
    if principal.kind is Kind.HUMAN:
        return ()
    present = {
        "owner": principal.owner is not None,
        "purpose": bool(principal.purpose.strip()),
        "environment": principal.environment is not None,
        "key": has_key or principal.kind not in {Kind.AGENT, Kind.INSTANCE},
    }
    return tuple(field for field, there in present.items() if not there)


def renamed(principal: Principal, name: str) -> Principal:
    """The entry under another name, if its kind allows that name."""
    _check_name(principal.kind, name)
    return replace(principal, name=name)


def _check_texts(stated: Registration) -> None:
    _check_name(stated.kind, stated.name)
    if stated.kind is Kind.HUMAN and stated.owner is not None:
        raise MalformedRegistration("a human owns itself: `owner` must be absent")
    if len(stated.purpose) > PURPOSE_LIMIT:
        raise RegistrationTooLarge(
            f"`purpose` has {len(stated.purpose)} characters, the limit is {PURPOSE_LIMIT}"
        )
    if len(stated.attributes) > ATTRIBUTES_LIMIT:
        raise RegistrationTooLarge(f"{len(stated.attributes)} attributes, the limit is {ATTRIBUTES_LIMIT}")
    if len({name for name, _ in stated.attributes}) != len(stated.attributes):
        raise MalformedRegistration("an attribute is named twice")


def _check_name(kind: Kind, name: str) -> None:
    if kind not in _NAMED_FREELY:
        check_name(name)
    elif not name.strip() or not name.isprintable() or len(name) > 256:  # noqa: PLR2004 - a line of a page
        raise MalformedRegistration("`name` is empty, longer than 256 characters or not printable")


def _check_parent(stated: Registration, parent: Principal | None) -> None:
    allowed = PARENTS.get(stated.kind)
    if allowed is None and stated.parent is None:
        return
    if allowed is None or parent is None or parent.kind not in allowed or parent.state is State.RETIRED:
        expected = ", ".join(sorted(allowed)) if allowed else "none"
        raise ParentUnfit(f"a `{stated.kind}` needs a living parent of kind: {expected}")
    if stated.kind is Kind.INSTANCE and parent.state is State.SUSPENDED:
        raise ParentUnfit(f"agent `{parent.name}` is suspended")


def _check_blueprint(stated: Registration, blueprint: Principal | None) -> None:
    if stated.kind is not Kind.AGENT:
        return
    if blueprint is None or blueprint.kind is not Kind.BLUEPRINT or blueprint.state is not State.ACTIVE:
        raise NoBlueprint("an agent is made from an active blueprint")


def _segments(stated: Registration, above: Principal | None) -> frozenset[str]:
    if stated.segments is not None:
        return stated.segments
    return above.segments if above is not None else frozenset()


def _attributes(stated: Registration, above: Principal | None) -> tuple[tuple[str, str], ...]:
    """What stands above, under what is stated: an agent's model comes with its blueprint."""
    inherited = (
        dict(above.attributes) if above is not None and stated.kind in {Kind.AGENT, Kind.INSTANCE} else {}
    )
    return tuple(sorted({**inherited, **dict(stated.attributes)}.items()))
