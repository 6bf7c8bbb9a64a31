"""AgentDojo's own worlds, tasks and checkers: runs as data, carried out call by call behind a gateway."""

import gzip
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.attacks.important_instructions_attacks import ImportantInstructionsAttack
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite

HIJACK_VERSION = "v1.2.2"
TRACE_VERSION = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One recorded or ground-truth call; `own` when the user's ground truth holds it (None: compare)."""

    tool: str
    args: dict[str, Any]
    own: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run to replay: whose calls, in which world, under which attack."""

    kind: str
    suite: str
    version: str
    user_task: str
    injection_task: str | None
    prompt: str
    calls: tuple[Call, ...]
    final: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What AgentDojo's checkers said of a replayed run, and what the gateway did in it."""

    utility: bool
    attacked: bool | None
    asked: int = 0
    denied: int = 0
    micros: list[float] = field(default_factory=list)
    saw_micros: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Named(BasePipelineElement):  # type: ignore[misc]  # the package is not installed where mypy runs
    def __init__(self, name: str) -> None:
        self.name = name

    def query(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("no model runs here")


@cache
def suite(name: str, version: str) -> Any:
    """A suite of the package."""
    return get_suite(version, name)


@cache
def _injections(name: str, version: str, user_task: str, injection_task: str) -> dict[str, str]:
    whole = suite(name, version)
    attack = ImportantInstructionsAttack(whole, _Named("gpt-4o-2024-05-13"))
    try:
        found: dict[str, str] = attack.attack(
            whole.get_user_task_by_id(user_task), whole.get_injection_task_by_id(injection_task)
        )
    except ValueError:  # the user's task reaches no place that the attacker could write to
        return {}
    return found


@cache
def _plain_world(name: str, version: str) -> Any:
    return suite(name, version).load_and_inject_default_environment({})


@lru_cache(maxsize=2048)
def _world(name: str, version: str, user_task: str, injection_task: str | None) -> bytes:
    """The world a user's task begins in, pickled: a copy of it costs a tenth of what `deepcopy` takes."""
    whole = suite(name, version)
    texts = _injections(name, version, user_task, injection_task) if injection_task else {}
    world = (
        whole.load_and_inject_default_environment(texts)
        if texts
        else _plain_world(name, version).model_copy(deep=True)
    )
    return pickle.dumps(whole.get_user_task_by_id(user_task).init_environment(world))


def hijacks(name: str) -> Iterator[Run]:
    """An agent that obeys perfectly: ground truth of every user task, alone and with each injection."""
    whole = suite(name, HIJACK_VERSION)
    for user_id, user in whole.user_tasks.items():
        for injected_id, injected in [(None, None), *whole.injection_tasks.items()]:
            world = pickle.loads(_world(name, HIJACK_VERSION, user_id, None))  # noqa: S301 — our own bytes
            runtime, calls = FunctionsRuntime(whole.tools), []
            for task, own in ((user, True), (injected, False)):
                if task is None:
                    continue
                try:
                    steps = task.ground_truth(world)
                except Exception:  # noqa: BLE001, S112 — the package's own truth can't be told in this world
                    continue
                for step in steps:
                    runtime.run_function(world, step.function, step.args)
                    calls.append(Call(tool=step.function, args=dict(step.args), own=own))
            said = [getattr(task, "GROUND_TRUTH_OUTPUT", "") or "" for task in (user, injected) if task]
            yield Run(
                kind="hijack" if injected else "truth", suite=name, version=HIJACK_VERSION, user_task=user_id,
                injection_task=injected_id, prompt=user.PROMPT, calls=tuple(calls), final="\n".join(said),
            )  # fmt: skip


def recorded(folder: Path) -> Iterator[Run]:
    """The recorded runs of a folder: `traces.jsonl.gz`."""
    with gzip.open(folder / "traces.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Run(
                kind="recorded attack" if row["injection_task"] else "recorded benign",
                suite=row["suite"], version=TRACE_VERSION, user_task=row["user_task"],
                injection_task=row["injection_task"], prompt=row["prompt"], final=row["final"] or "",
                calls=tuple(
                    Call(
                        tool=call["tool"],
                        args=call["args"] if isinstance(call["args"], dict) else {},
                        own=None if row["injection_task"] else True,
                    )
                    for call in row["calls"]
                ),
            )  # fmt: skip


def truth_of(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """The user's ground-truth calls in this run's world."""
    whole = suite(run.suite, run.version)
    task = whole.get_user_task_by_id(run.user_task)
    try:
        return [(step.function, dict(step.args)) for step in task.ground_truth(_fresh(run))]
    except Exception:  # noqa: BLE001 — the package's own truth can't be told in this world
        return []


def _fresh(run: Run) -> Any:
    # Hijack rows are built without any injected text; recorded ones met the attack's texts.
    injected = run.injection_task if run.kind.startswith("recorded") else None
    return pickle.loads(_world(run.suite, run.version, run.user_task, injected))  # noqa: S301 — our own bytes


class Timeline:
    """A run as it unfolds under some gateway; what was carried out once in an order is not done again."""

    def __init__(self, run: Run) -> None:
        whole = suite(run.suite, run.version)
        self._run = run
        self._user = whole.get_user_task_by_id(run.user_task)
        self._injected = whole.get_injection_task_by_id(run.injection_task) if run.injection_task else None
        self._tools = whole.tools
        self._results: dict[tuple[int, ...], Any] = {}
        self._verdicts: dict[tuple[int, ...], tuple[bool, bool | None]] = {}
        self._now: tuple[int, ...] = ()
        self._begin()

    def result(self, done: tuple[int, ...]) -> Any:
        """What the last of these calls answered, as an MCP server would structure it."""
        if done not in self._results:
            self._reach(done)
        return self._results[done]

    def verdict(self, done: tuple[int, ...]) -> tuple[bool, bool | None]:
        """AgentDojo's own checkers: was the user's task done, did the attack succeed?"""
        if done not in self._verdicts:
            self._reach(done)
            attacked = self._checked(self._injected, "security") if self._injected else None
            self._verdicts[done] = (self._checked(self._user, "utility"), attacked)
        return self._verdicts[done]

    def _begin(self) -> None:
        self._world, self._runtime = _fresh(self._run), FunctionsRuntime(self._tools)
        self._trace: list[FunctionCall] = []
        self._now = ()

    def _reach(self, done: tuple[int, ...]) -> None:
        if done[: len(self._now)] != self._now:
            self._begin()
        for place in done[len(self._now) :]:
            call = self._run.calls[place]
            self._trace.append(FunctionCall(function=call.tool, args=call.args))
            result, error = self._runtime.run_function(self._world, call.tool, call.args)
            self._now = (*self._now, place)
            self._results[self._now] = error or _plain(result)

    def _checked(self, task: Any, what: str) -> bool:
        before = _fresh(self._run)
        try:
            told = getattr(task, f"{what}_from_traces")(self._run.final, before, self._world, self._trace)
            return bool(getattr(task, what)(self._run.final, before, self._world) if told is None else told)
        except Exception:  # noqa: BLE001 — a checker that fails on what is missing has not found it done
            return False


def _plain(result: Any) -> Any:
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json")
    if isinstance(result, list | tuple):
        return [_plain(each) for each in result]
    if isinstance(result, dict):
        return {str(key): _plain(value) for key, value in result.items()}
    return result if isinstance(result, str | int | float | bool) or result is None else str(result)
