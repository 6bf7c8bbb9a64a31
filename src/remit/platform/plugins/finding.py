"""Which plugins are installed: entry points of the group `remit.facts`."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from remit.decision.plugin.contract import GROUP, Offer, admitted
from remit.kernel.errors import RemitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One entry point: what it offers, or why it offers nothing."""

    entry: str
    """Name of the entry point."""
    distribution: str
    """Name and version of what was installed."""
    offer: Offer | None
    fault: str = ""


def installed() -> tuple[Found, ...]:
    """Every entry point of the group, by name; of two that offer one name, neither is taken."""
    found = [_loaded(each) for each in sorted(entry_points(group=GROUP), key=lambda each: each.name)]
    names = [each.offer.name for each in found if each.offer is not None]
    return tuple(
        Found(entry=each.entry, distribution=each.distribution, offer=None, fault="its name is taken twice")
        if each.offer is not None and names.count(each.offer.name) > 1
        else each
        for each in found
    )


def offers(found: Iterable[Found]) -> tuple[Offer, ...]:
    """Those that can be asked."""
    return tuple(each.offer for each in found if each.offer is not None)


def _loaded(entry: EntryPoint) -> Found:
    distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    try:
        offer = admitted(entry.load())
    except RemitError as refused:
        return Found(entry=entry.name, distribution=distribution, offer=None, fault=refused.hint)
    except Exception as broken:  # noqa: BLE001 — code of others; what it does wrong must not stop the server
        fault = f"it can't be loaded: {type(broken).__name__}: {broken}"[:300]
        return Found(entry=entry.name, distribution=distribution, offer=None, fault=fault)
    return Found(entry=entry.name, distribution=distribution, offer=offer)
