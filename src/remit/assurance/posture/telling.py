"""Needs and questions in a person's words."""

from remit.assurance.posture.bounds import Among, Between, Bound, UpTo
from remit.assurance.posture.doubt import Doubt, Why
from remit.assurance.posture.extent import Extent, Reach
from remit.assurance.posture.learning import Need
from remit.decision.budget.currency import amount_text

_SHOWN = 5


def told(need: Need) -> str:
    """One need, as `business/rooms.book on Room Room-401, Room-402; attendees at most 12`."""
    where = "any" if need.extent.reach is Reach.ANY else _extent(need.extent)
    return "; ".join([f"{need.action} on {need.resource_type} {where}", *map(_bound, need.bounds)])


def about(asked: Doubt) -> str:
    """What a question is about, with its values."""
    if asked.why is Why.RARE:
        names = sorted({use.resource for use in asked.uses})
        return f"on {asked.about} {_listed(names)}"
    if asked.why is Why.OPEN:
        return f"argument {asked.about}"
    if not asked.about:
        return f"on {_listed(sorted({f'{use.resource_type} {use.resource}' for use in asked.uses}))}"
    return asked.about


def _bound(bound: Bound) -> str:
    match bound:
        case UpTo():
            most = " or ".join(f"{unit} {amount_text(minor, unit)}" for unit, minor in bound.most)
            return f"at most {most}"
        case Between():
            low = "" if bound.low is None else f"at least {bound.low:f}, "
            return f"{bound.name} {low}at most {bound.high:f}"
        case Among(extent=extent) if not extent.names and extent.reach is Reach.FEW:
            return f"without {bound.name}"
        case Among():
            return f"{bound.name} {_extent(bound.extent)}"


def _extent(extent: Extent) -> str:
    match extent.reach:
        case Reach.STARTING:
            return f"{extent.affix}…"
        case Reach.ENDING:
            return f"…{extent.affix}"
        case _:
            return _listed(sorted(extent.names))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
