"""Figures for `/metrics`: every label is of a closed set, so no caller can grow them (DS-14)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from remit.platform.telemetry.tally import Count, Labels, Timing, counter_of, histogram_of

OTHER: Final = "other"
_MAX_VALUES: Final = 200
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Answered:
    """Where the answers of one method, route and status are counted and timed."""

    count: Count
    timing: Timing


class Metrics(Collector):
    """One process's figures, in a registry of its own."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._requests: dict[Labels, Count] = {}
        self._request_seconds: dict[Labels, Timing] = {}
        self._decisions: dict[Labels, Count] = {}
        self._calls: dict[Labels, Count] = {}
        self._operations: dict[Labels, Timing] = {}
        self._labels: dict[str, set[str]] = {}
        self._answers: dict[tuple[str, str, int], _Answered] = {}
        self.registry.register(self)
        self._state = Gauge("remit_state", "present counts, by name", ["name"], registry=self.registry)

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is the template (`/api/v1/agents/{name}`), never the path itself."""
        found = self._answers.get((method, route, status)) or self._answered(method, route, status)
        found.count.times += 1
        found.timing.add(seconds)

    def decision(self, *, effect: str, stage: str) -> None:
        """Count one decision by effect and by the stage that made it."""
        found = self._decisions.get((effect, stage))
        if found is None:
            found = self._counted(self._decisions, effect=effect, stage=stage)
        found.times += 1

    def call(self, *, outcome: str) -> None:
        """Count one call through the gateway by how it ended."""
        found = self._calls.get((outcome,))
        if found is None:
            found = self._counted(self._calls, outcome=outcome)
        found.times += 1

    def operation(self, *, name: str, outcome: str, seconds: float) -> None:
        """Time one piece of inner work."""
        found = self._operations.get((name, outcome))
        if found is None:
            bounded = self._bounded("operation", name), self._bounded("outcome", outcome)
            found = self._operations.setdefault(bounded, Timing())
        found.add(seconds)

    def state(self, name: str, value: float) -> None:
        """Set a present count: `epoch`, `revision`, `approvals_pending`."""
        self._state.labels(self._bounded("name", name)).set(value)

    def collect(self) -> Iterator[Metric]:
        """What was counted, for the registry."""
        routed = ("method", "route", "status")
        yield counter_of("remit_http_requests", "requests answered", routed, self._requests)
        yield histogram_of("remit_http_request_seconds", "time to answer", ("route",), self._request_seconds)
        yield counter_of("remit_decisions", "decisions recorded", ("effect", "stage"), self._decisions)
        yield counter_of("remit_gateway_calls", "calls by outcome", ("outcome",), self._calls)
        said = "time of inner work, by span name and outcome"
        yield histogram_of("remit_operation_seconds", said, ("operation", "outcome"), self._operations)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def _answered(self, method: str, route: str, status: int) -> _Answered:
        """Where an answer is counted; found again by what it says, unless that is one value too many."""
        known, verb = self._bounded("route", route), method if method in _METHODS else OTHER
        found = _Answered(
            self._requests.setdefault((verb, known, str(status)), Count()),
            self._request_seconds.setdefault((known,), Timing()),
        )
        if (verb, known) == (method, route):
            self._answers[method, route, status] = found
        return found

    def _counted(self, known: dict[Labels, Count], **labels: str) -> Count:
        bounded = tuple([self._bounded(label, value) for label, value in labels.items()])
        return known.setdefault(bounded, Count())

    def _bounded(self, label: str, value: str) -> str:
        """INVARIANT: a label holds at most `_MAX_VALUES` values, whatever a caller sends."""
        seen = self._labels.setdefault(label, set())
        if value in seen:
            return value
        if len(seen) >= _MAX_VALUES:
            return OTHER
        seen.add(value)
        return value
