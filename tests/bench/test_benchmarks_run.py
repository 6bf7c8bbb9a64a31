"""Each benchmark runs, in its smallest size, and prints its table; nothing here is said about speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TABLES = {
    "goal1": ("goal1_authzen", "Remit, DPoP, at 1", "50 at once"),
    "goal2": ("goal2_policy", "cedarpy µs", "10 "),
    "goal3": ("goal3_relations", "Remit, p99", "goal 3, memory"),
    "goal4": ("goal4_tokens", "oidc-provider", "Remit"),
    "goal5": ("goal5_authorization", "conventional, ES256", "Remit, ES256"),
    "goal6": ("goal6_gateway", "direct", "Remit"),
    "goal7": ("goal7_ledger", "pymerkle in memory", "Remit durable"),
    "goal10": ("goal10_memory", "idle, empty", "after some questions"),
    "starts": ("starts", "remit --help", "capability verified"),
}


@pytest.mark.parametrize("only", TABLES)
def test_a_benchmark_runs_and_prints_its_table(only: str) -> None:
    name, *rows = TABLES[only]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", "--only", only],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for row in rows:
        assert row in done.stdout
    written = json.loads((ROOT / "bench" / "out" / f"{name}.tiny.json").read_text(encoding="utf-8"))
    assert written["command"].endswith("--tiny")
    assert written["machine"]["cores"] >= 1
    assert written["goals"]
