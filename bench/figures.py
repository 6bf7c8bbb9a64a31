"""What every goal's program needs: percentiles, spreads, tables, the machine, CPU time of a process."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OUT: Final = Path(__file__).parent / "out"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal as performance.md states it, and whether this run met it; None: not measured here."""

    name: str
    wanted: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One program's figures, its table and its goals."""

    name: str
    command: str
    sizes: dict[str, Any]
    rows: Sequence[dict[str, str]]
    figures: dict[str, Any]
    goals: Sequence[Goal]
    notes: Sequence[str] = ()

    def write(self) -> None:
        """JSON beside the others; a tiny run never takes the place of a real one."""
        OUT.mkdir(exist_ok=True)
        goals = [
            {"name": each.name, "wanted": each.wanted, "found": each.found, "met": each.met}
            for each in self.goals
        ]
        whole = {
            "name": self.name, "command": self.command, "machine": machine(), "sizes": self.sizes,
            "figures": self.figures, "goals": goals, "notes": list(self.notes),
        }  # fmt: skip
        tiny = ".tiny" if self.command.endswith("--tiny") else ""
        (OUT / f"{self.name}{tiny}.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")

    def show(self) -> None:
        """The table, then each goal in one line."""
        print(f"\n{self.name}   {self.command}   {self.sizes}")
        for line in table(self.rows):
            print(line)
        for note in self.notes:
            print(f"  note: {note}")
        for goal in self.goals:
            print(f"  {goal.verdict:12} {goal.name}: wanted {goal.wanted}, found {goal.found}")


def machine() -> dict[str, str | int]:
    """What this ran on."""
    return {
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "load": f"{os.getloadavg()[0]:.1f} before",
    }


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


def spread(values: Sequence[float], *, digits: int = 2) -> dict[str, float]:
    """Median with minimum and maximum."""
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def said(found: dict[str, float]) -> str:
    """A spread as one reads it."""
    return f"{found['median']:,.4g} [{found['min']:,.4g} … {found['max']:,.4g}]"


def table(rows: Sequence[dict[str, str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    if not rows:
        return []
    names = list(rows[0])
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    lines = ["  ".join(name.ljust(widths[name]) for name in names)]
    lines += ["  ".join(row[name].ljust(widths[name]) for name in names) for row in rows]
    return [f"  {line.rstrip()}" for line in lines]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, and of its living children (Linux)."""
    return _own_seconds(pid) + sum(cpu_seconds(child) for child in _children(pid))


def _own_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
    return found
