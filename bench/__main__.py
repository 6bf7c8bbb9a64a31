"""`python -m bench`: every goal beside its peer, in one run; tables here, figures in `bench/out`.

`--tiny` uses sizes that only show that each program runs; `--only` names some of them.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from typing import Final, Protocol

from bench.figures import Goal, Report, machine, said

from bench import (
    approvals,
    goal1_authzen,
    goal2_policy,
    goal3_relations,
    goal4_tokens,
    goal5_authorization,
    goal6_gateway,
    goal7_ledger,
    goal10_memory,
    starts,
)


class Measure(Protocol):
    """One program."""

    def __call__(self, *, tiny: bool) -> Report:
        """Run it."""


def ledger(*, tiny: bool) -> Report:
    """Goal 7 in the common form."""
    found = asyncio.run(goal7_ledger.measure(tiny=tiny))
    ratio, provable, offline = (
        found[name] for name in ("ratio_cpu", "provable_ms", "offline_records_per_second")
    )
    assert isinstance(ratio, dict)
    assert isinstance(provable, dict)
    assert isinstance(offline, dict)
    rows = [
        {"what": name, "median [min … max]": said(value)}
        for name, value in (
            ("pymerkle in memory, CPU µs per record", _part(found, "pymerkle_in_memory_us", "cpu")),
            ("Remit durable, CPU µs per record", _part(found, "remit_durable_us", "cpu")),
            ("pymerkle in memory, µs per record", _part(found, "pymerkle_in_memory_us", "wall")),
            ("Remit durable, µs per record", _part(found, "remit_durable_us", "wall")),
            (
                "Remit durable, one record per unit, µs",
                _part(found, "remit_durable_one_record_per_unit_us", "wall"),
            ),
            ("records verified offline per second", offline),
        )
    ]
    return Report(
        name="goal7_ledger",
        command="python -m bench --only goal7" + (" --tiny" if tiny else ""),
        sizes=_sizes(found["records"]),
        rows=rows,
        figures=found,
        goals=[
            Goal(
                name="goal 7, append, CPU", wanted=">= 5x", found=f"{said(ratio)}x", met=ratio["median"] >= 5
            ),
            Goal(
                name="goal 7, provable, p99", wanted="<= 10 ms", found=f"{provable['p99']} ms",
                met=provable["p99"] <= 10,
            ),
            Goal(
                name="goal 7, offline", wanted=">= 50,000 records/s", found=said(offline),
                met=offline["median"] >= 50_000,
            ),
        ],
        notes=["pymerkle keeps its tree in memory; ours is in SQLite, synced before it counts"],
    )  # fmt: skip


def _part(found: dict[str, object], name: str, kind: str) -> dict[str, float]:
    whole = found[name]
    assert isinstance(whole, dict)
    part: dict[str, float] = whole[kind]
    return part


def _sizes(found: object) -> dict[str, int]:
    assert isinstance(found, dict)
    return dict(found)


PROGRAMS: Final[dict[str, Measure]] = {
    "goal1": goal1_authzen.measure,
    "goal2": goal2_policy.measure,
    "goal3": goal3_relations.measure,
    "goal4": goal4_tokens.measure,
    "goal5": goal5_authorization.measure,
    "goal6": goal6_gateway.measure,
    "goal7": ledger,
    "goal10": goal10_memory.measure,
    "approvals": approvals.measure,
    "starts": starts.measure,
}


def main(argv: list[str], *, tell: Callable[[str], None] = print) -> int:
    """Run them one after the other; a goal that is missed is told, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="sizes for CI: shows that it runs, not how fast")
    parser.add_argument(
        "--only", action="append", choices=list(PROGRAMS), help="one program; may be repeated"
    )
    chosen = parser.parse_args(argv)
    tell(" ".join(f"{name}: {value}" for name, value in machine().items()))
    goals: list[Goal] = []
    for name in chosen.only or PROGRAMS:
        report = PROGRAMS[name](tiny=chosen.tiny)
        report.write()
        report.show()
        goals += report.goals
    met = sum(goal.met is True for goal in goals)
    tell(f"\n{met} of {len(goals)} goals met" + (" (sizes too small to say)" if chosen.tiny else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
