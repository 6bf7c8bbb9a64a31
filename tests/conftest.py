"""What every test shares: known marker ids only, one Hypothesis profile, a report of what was proven."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.plain_log import log_plainly

pytest_plugins = ["support.stores", "support.oauth_worlds", "support.domains", "support.houses"]

CATALOGUE = Path(__file__).parent / "catalogue"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 << 30
CATALOGUED = {
    "req": "requirements.csv",
    "attack": "attacks.csv",
    "twin": "attacks.csv faults.csv promises.csv",
    "fault": "faults.csv",
    "promise": "promises.csv",
}

settings.register_profile(
    "gate",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("REMIT_HYPOTHESIS", "gate"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", help="write which test proves which id, and its result, to this JSON file")


def known_ids(files: str) -> frozenset[str]:
    return frozenset(
        row["id"]
        for name in files.split()
        for row in csv.DictReader((CATALOGUE / name).open(encoding="utf-8"))
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = {marker: known_ids(files) for marker, files in CATALOGUED.items()}
    unknown = [
        f"{item.nodeid}: {mark.name}({ident!r})"
        for item in items
        for mark in item.iter_markers()
        if mark.name in known
        for ident in mark.args
        if ident not in known[mark.name]
    ]
    if unknown:
        raise pytest.UsageError("unknown ids in markers:\n  " + "\n  ".join(unknown))


def claims(item: pytest.Item) -> list[str]:
    """Every id that a test bears, as `marker:id`."""
    return [
        f"{mark.name}:{' '.join(map(str, mark.args)) if mark.name == 'spec' else ident}"
        for mark in item.iter_markers()
        if mark.name in CATALOGUED or mark.name == "spec"
        for ident in (mark.args[:1] if mark.name == "spec" else mark.args)
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:  # the hook's own generator protocol
    report: pytest.TestReport = yield  # type: ignore[misc,assignment]  # what pluggy sends
    if report.when == "call" or report.outcome == "skipped" or report.failed:
        report.user_properties.append(("proof", json.dumps(claims(item))))
    return report  # type: ignore[return-value]  # a hook wrapper returns its result


class ProofReport:
    """Collects ids and outcomes, also from xdist workers, whose reports arrive here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, str | list[str]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "proof" and json.loads(str(value)):
                self.rows[report.nodeid] = {"ids": json.loads(str(value)), "outcome": report.outcome}

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1, sort_keys=True), encoding="utf-8")


def place_in_memory() -> None:
    """Keep what tests write in memory, where there is room: each waits for thousands of syncs otherwise.

    No test's verdict hangs on it: which bytes were synced before which is read from system calls.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
        tempfile.tempdir = str(MEMORY)


def pytest_configure(config: pytest.Config) -> None:
    place_in_memory()
    log_plainly()
    target = config.getoption("--proof")
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ProofReport(Path(str(target))), "proof-report")
