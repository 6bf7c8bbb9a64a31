"""Plugins of this process: found once, at start; one panel for every tenant."""

from functools import lru_cache

import structlog

from remit.platform.plugins.finding import Found, installed, offers
from remit.platform.plugins.panel import Panel

_log = structlog.stdlib.get_logger("remit.plugins")


def found_plugins() -> tuple[Found, ...]:
    """Every entry point, with what is wrong with those that can't be used."""
    return installed()


@lru_cache(maxsize=1)
def panel() -> Panel:
    """Everything that is installed; what can't be used is said once, and denies the rules that look at it."""
    found = installed()
    for each in found:
        if each.offer is None:
            _log.error("plugin.refused", entry=each.entry, distribution=each.distribution, why=each.fault)
    absent = {each.entry: f"plugin `{each.entry}`: {each.fault}" for each in found if each.offer is None}
    return Panel(offers(found), absent=absent)
