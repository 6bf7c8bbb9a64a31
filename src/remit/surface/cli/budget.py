"""Limits of a budget on the command line: how they are said, and what is left of them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from remit.authority.limits import Dimension, Per
from remit.decision.budget.currency import amount_text
from remit.surface.cli.failures import Misused
from remit.surface.cli.render import visible

_SAID: Final = re.compile(
    r"(?P<of>[a-z_]+)(:(?P<currency>[A-Z]{3}))?(/(?P<per>[a-z]+))?=(?P<most>[0-9]{1,16})?(:(?P<ask>[0-9]{1,16}))?"
)
_DIMENSIONS: Final = ", ".join(each.value for each in Dimension if each is not Dimension.RATE)
_SPANS: Final = ", ".join(each.value for each in Per)


def limit_of(said: str, *, command: str) -> dict[str, Any]:
    """Read `rows=1000`, `tokens/hour=5000:4000` or `money:EUR/day=:2000`: at most, and where one is asked.

    Amounts are units of the dimension, of money the smallest coin. Raises `Misused`.
    """
    found = _SAID.fullmatch(said)
    known = found is not None and found["of"] in set(Dimension) and (found["per"] or "whole") in set(Per)
    if found is None or not known or not (found["most"] or found["ask"]):
        raise Misused(
            f"`{said}` is no limit: say what=most or what=most:ask_above, of {_DIMENSIONS}, per {_SPANS}",
            next_step=f"{command} … --limit rows=1000 --limit tokens/hour=5000:4000",
        )
    limit: dict[str, Any] = {"of": found["of"], "per": found["per"] or "whole"}
    if found["currency"]:
        limit["currency"] = found["currency"]
    if found["most"]:
        limit["most"] = int(found["most"])
    if found["ask"]:
        limit["ask_above"] = int(found["ask"])
    return limit


def spent(entry: Mapping[str, Any]) -> str:
    """One line about one limit: `task  40 of 100 rows used, a person is asked above 80`."""
    currency = str(entry.get("currency", ""))
    unit = currency or str(entry["of"])
    span = "" if entry["per"] == "whole" else f" this {entry['per']}"
    until = f", until {str(entry['again'])[:16].replace('T', ' ')} UTC" if entry.get("again") else ""
    used = _amount(entry["used"], currency)
    of = f" of {_amount(entry['most'], currency)}" if "most" in entry else ""
    asks = (
        f", a person is asked above {_amount(entry['ask_above'], currency)}" if "ask_above" in entry else ""
    )
    return visible(f"{entry['factor']}  {used}{of} {unit} used{span}{until}{asks}")


def _amount(units: int, currency: str) -> str:
    return amount_text(units, currency) if currency else str(units)
