"""Runs in AgentDojo's own environment: replays each run through each gateway, prints JSON lines."""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.agentdojo.gateways import Declared, Gateway, OracleNames, PermitAll, PlainTaint, Remit, profiles
from bench.agentdojo.worlds import Call, Outcome, Run, Timeline, hijacks, recorded, suite, truth_of

from remit.decision.answer.response import Effect
from remit.decision.provenance.normal import phrase
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.witness import Profile

GATEWAYS: dict[str, Callable[..., Gateway]] = {
    "permit all": PermitAll,
    "oracle tool names": OracleNames,
    "plain value taint": PlainTaint,
    "remit": Remit,
    "remit, house declared": Declared,
}
APPROVERS = ("ideal", "fatigued", "always yes")
FATIGUE = 0.9


def main() -> None:
    """Replay what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--suites", nargs="*", default=["workspace", "banking"])
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--gateways", nargs="*", default=list(GATEWAYS))
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    asked = parser.parse_args()
    runs: list[Run] = [run for name in asked.suites for run in hijacks(name)]
    if asked.traces:
        runs += [run for run in recorded(asked.traces) if run.suite in asked.suites]
    for place, run in enumerate(runs):
        if place % asked.parts == asked.part:
            _replay(run, asked.gateways, place)


def _replay(run: Run, gateways: Iterable[str], place: int) -> None:
    known, timeline = _profiles(run), Timeline(run)
    truth = truth_of(run)
    for name in gateways:
        outcome: Outcome | None = None
        for approver in APPROVERS:
            if outcome is not None and not outcome.asked:
                # Nobody was asked: the approver does not matter.
                _tell(run, place, name, approver, outcome)
                continue
            gateway = GATEWAYS[name](run.prompt, known, frozenset(tool for tool, _ in truth))
            chance = random.Random(f"{place} {name}")  # noqa: S311 — a seed, no secret
            outcome = _carried(run, timeline, gateway, known, truth, approver, chance)
            _tell(run, place, name, approver, outcome)


def _tell(run: Run, place: int, name: str, approver: str, outcome: Outcome) -> None:
    timed = name == "remit" and approver == "ideal"
    line = {
        "gateway": name, "approver": approver, "kind": run.kind, "suite": run.suite,
        "run": place, "user_task": run.user_task, "injection_task": run.injection_task,
        "utility": outcome.utility,
        "attacked": outcome.attacked, "asked": outcome.asked, "denied": outcome.denied,
        "micros": outcome.micros if timed else [], "saw_micros": outcome.saw_micros if timed else [],
        "notes": outcome.notes if timed else [],
    }  # fmt: skip
    sys.stdout.write(json.dumps(line) + "\n")


_KNOWN: dict[tuple[str, str], dict[str, Profile]] = {}


def _profiles(run: Run) -> dict[str, Profile]:
    key = (run.suite, run.version)
    if key not in _KNOWN:
        _KNOWN[key] = profiles(suite(*key).tools)
    return _KNOWN[key]


def _carried(
    run: Run,
    timeline: Timeline,
    gateway: Gateway,
    known: dict[str, Profile],
    truth: list[tuple[str, dict[str, Any]]],
    approver: str,
    chance: random.Random,
) -> Outcome:
    outcome = Outcome(utility=False, attacked=None)
    done: tuple[int, ...] = ()
    for place, call in enumerate(run.calls):
        started = time.thread_time()
        effect, why = gateway.judge(call.tool, call.args)
        outcome.micros.append(round((time.thread_time() - started) * 1e6, 1))
        if effect is not Effect.PERMIT:
            outcome.notes.append(f"{effect} {call.tool} {json.dumps(call.args, default=str)[:160]} [{why}]")
        if effect is Effect.DENY:
            outcome.denied += 1
            continue
        if effect is Effect.ASK:
            outcome.asked += 1
            if not _yes(approver, call, truth, known, chance):
                continue
            gateway.approved(call.tool, call.args)
        done = (*done, place)
        result = timeline.result(done)
        started = time.thread_time()
        gateway.saw(call.tool, call.args, result)
        outcome.saw_micros.append(round((time.thread_time() - started) * 1e6, 1))
    outcome.utility, outcome.attacked = timeline.verdict(done)
    return outcome


def _yes(
    approver: str,
    call: Call,
    truth: list[tuple[str, dict[str, Any]]],
    known: dict[str, Profile],
    chance: random.Random,
) -> bool:
    if approver == "always yes":
        return True
    if approver == "fatigued" and chance.random() < FATIGUE:
        return True
    if approver == "fatigued":
        return False
    return call.own if call.own is not None else _in_truth(call, truth, known)


def _in_truth(call: Call, truth: list[tuple[str, dict[str, Any]]], known: dict[str, Profile]) -> bool:
    """Whether the user's ground truth has this call: same tool, same value in everything that steers it."""
    kinds = known[call.tool].kinds if call.tool in known else {}
    steering = [name for name, kind in kinds.items() if kind not in {Kind.CONTENT, Kind.PLAIN, Kind.FILTER}]
    return any(
        tool == call.tool and all(_same(call.args.get(name), args.get(name)) for name in steering)
        for tool, args in truth
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(float(one) - float(other)) < 0.005
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return sorted(map(str, one)) == sorted(map(str, other))
    return phrase(str(one or "")) == phrase(str(other or ""))


if __name__ == "__main__":
    main()
