"""Policies on the command line without a server: tested, compared, analysed, taken from packs."""

import json
import sys
from pathlib import Path

import pytest

from remit.surface.cli.exits import Exit
from remit.surface.cli.explained import explained
from remit.surface.cli.main import run

POLICY = """@id("book") permit(principal, action == Remit::Action::"business/rooms.book", resource)
when { context.purpose == "booking" };
"""
BOOK = """policies: [rooms.cedar]
given:
  agents: {bot: {}}
  tools:
    business/rooms.book: {resource: {type: Room, pointer: /room}, arguments: {room: string}}
scenarios:
  - name: rooms are booked for booking
    when: {agent: bot, tool: business/rooms.book, purpose: booking, arguments: {room: R1}}
    then: {effect: permit, rules: [book]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rooms.cedar").write_text(POLICY, encoding="utf-8")
    (tmp_path / "rooms.yaml").write_text(BOOK, encoding="utf-8")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    return told.out + told.err


def test_scenarios_are_judged_and_a_failure_ends_in_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "test", str(folder)]) == Exit.DONE
    assert "1 of 1 scenarios" in said(capsys)
    other = folder / "other.cedar"
    other.write_text(POLICY.replace("booking", "parties"), encoding="utf-8")
    assert run(["policy", "test", str(folder / "rooms.yaml"), "--policy", str(other)]) == Exit.FAILED
    told = said(capsys)
    assert f"{folder / 'rooms.yaml'}:7: rooms are booked" in told
    assert "wanted permit, found deny" in told
    assert run(["policy", "test", str(folder), "-o", "json"]) == Exit.DONE
    assert json.loads(said(capsys))["good"] is True


def test_a_fault_is_told_with_file_line_and_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rooms.cedar").write_text(POLICY.replace("purpose", "purpos"), encoding="utf-8")
    assert run(["policy", "test", str(folder)]) == Exit.USAGE
    assert f"{folder / 'rooms.cedar'}:2:16: policy book:" in said(capsys)
    (folder / "rooms.cedar").write_text(POLICY, encoding="utf-8")
    (folder / "rooms.yaml").write_text(BOOK.replace("agent: bot", "agnt: bot"), encoding="utf-8")
    assert run(["policy", "test", str(folder)]) == Exit.USAGE
    assert f"{folder / 'rooms.yaml'}:8:12: `agnt` is no member here, did you mean `agent`?" in said(capsys)


def test_two_sets_are_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other.cedar"
    other.write_text(POLICY.replace("booking", "parties"), encoding="utf-8")
    assert run(["policy", "diff", str(folder / "rooms.cedar"), str(other)]) == Exit.FAILED
    assert "~ book  changed: conditions" in said(capsys)
    assert run(["policy", "diff", str(other), str(other)]) == Exit.DONE
    assert run(["policy", "diff", str(other), "nowhere"]) == Exit.USAGE


@pytest.mark.req("N6")
def test_a_widening_fails_and_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wider = folder / "wider.cedar"
    wider.write_text(POLICY.replace('context.purpose == "booking"', "context.depth < 5"), encoding="utf-8")
    given = ["--given", str(folder / "rooms.yaml")]
    asked = ["policy", "analyze", str(wider), "--against", str(folder / "rooms.cedar"), *given]
    assert run([*asked, "--fail-on", "widened"]) == Exit.FAILED
    assert "widened book" in said(capsys)
    assert run([*asked, "--fail-on", "shadowed", "-o", "json"]) == Exit.DONE
    found = json.loads(said(capsys))["findings"]
    assert found[0]["answer"] == "permit by book"
    assert found[0]["before"] == "deny because nothing permits it"
    assert run(["policy", "analyze", str(folder / "rooms.cedar"), *given]) == Exit.DONE
    assert run([*asked, "--fail-on", "wide"]) == Exit.USAGE


def test_without_the_solver_it_is_said_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if "policy.analysis" in name}
    solver = sys.modules.get("z3")
    sys.modules["z3"] = None  # type: ignore[assignment]  # how Python marks a module that can't be imported
    try:
        assert run(["policy", "analyze", str(folder / "rooms.cedar")]) == Exit.FAILED
    finally:
        del sys.modules["z3"]
        sys.modules.update({**held, **({"z3": solver} if solver else {})})
    assert "pip install 'remit[analysis]'" in said(capsys)


def test_a_pack_is_listed_shown_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "pack"]) == Exit.DONE
    assert "finance" in said(capsys)
    assert run(["policy", "pack", "finance"]) == Exit.DONE
    assert '@id("finance.small")' in said(capsys)
    assert run(["policy", "pack", "finance", "--to", str(folder / "mine")]) == Exit.DONE
    assert run(["policy", "test", str(folder / "mine")]) == Exit.DONE
    assert run(["policy", "pack", "finance", "--to", str(folder / "mine")]) == Exit.USAGE
    assert run(["policy", "pack", "finanze"]) == Exit.USAGE


@pytest.mark.req("R61")
def test_why_tells_where_a_rule_comes_from() -> None:
    reason = {
        "code": "forbidden",
        "rule": "law",
        "sentence": "policy `law` forbids it",
        "source": "GDPR Art. 44",
        "controls": ["SOC 2 CC6.1", "ISO 42001 A.9.2"],
    }
    found = {
        "effect": "deny",
        "at": "2026-05-15T12:00:00Z",
        "agent_name": "bot",
        "action": "a/b",
        "resource": "Room:r",
        "stages": [{"stage": "policy", "effect": "deny", "reasons": [reason]}],
    }
    told = "\n".join(explained(found))
    assert "rule law: policy `law` forbids it (forbidden); from GDPR Art. 44" in told
    assert "; control SOC 2 CC6.1, ISO 42001 A.9.2" in told
