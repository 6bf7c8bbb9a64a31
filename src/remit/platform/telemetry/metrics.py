"""Figures for `/metrics`: every label is of a closed set, so no caller can grow them (DS-14)."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

OTHER: Final = "other"
_MAX_VALUES: Final = 200
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """One process's figures, in a registry of its own."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._requests = Counter(
            "remit_http_requests", "requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "remit_http_request_seconds",
            "time to answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._decisions = Counter(
            "remit_decisions", "decisions recorded", ["effect", "stage"], registry=self.registry
        )
        self._calls = Counter("remit_gateway_calls", "calls by outcome", ["outcome"], registry=self.registry)
        self._operations = Histogram(
            "remit_operation_seconds",
            "time of inner work, by span name and outcome",
            ["operation", "outcome"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._state = Gauge("remit_state", "present counts, by name", ["name"], registry=self.registry)
        self._labels: dict[str, set[str]] = {}
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._timed: dict[tuple[str, str], Histogram] = {}

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is the template (`/api/v1/agents/{name}`), never the path itself."""
        found = self._answers.get((method, route, status))
        if found is None:
            found = self._answered(method, route, status)
        found[0].inc()
        found[1].observe(seconds)

    def decision(self, *, effect: str, stage: str) -> None:
        """Count one decision by effect and by the stage that made it."""
        self._decisions.labels(self._bounded("effect", effect), self._bounded("stage", stage)).inc()

    def call(self, *, outcome: str) -> None:
        """Count one call through the gateway by how it ended."""
        self._calls.labels(self._bounded("outcome", outcome)).inc()

    def operation(self, *, name: str, outcome: str, seconds: float) -> None:
        """Time one piece of inner work."""
        found = self._timed.get((name, outcome))
        if found is None:
            found = self._operated(name, outcome)
        found.observe(seconds)

    def state(self, name: str, value: float) -> None:
        """Set a present count: `epoch`, `revision`, `approvals_pending`."""
        self._state.labels(self._bounded("name", name)).set(value)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def _answered(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Where an answer is counted; found again by what it says, unless that is one value too many."""
        known, verb = self._bounded("route", route), method if method in _METHODS else OTHER
        found = self._requests.labels(verb, known, str(status)), self._request_seconds.labels(known)
        if (verb, known) == (method, route):
            self._answers[method, route, status] = found
        return found

    def _operated(self, name: str, outcome: str) -> Histogram:
        bounded = self._bounded("operation", name), self._bounded("outcome", outcome)
        found = self._operations.labels(*bounded)
        if bounded == (name, outcome):
            self._timed[name, outcome] = found
        return found

    def _bounded(self, label: str, value: str) -> str:
        """INVARIANT: a label holds at most `_MAX_VALUES` values, whatever a caller sends."""
        seen = self._labels.setdefault(label, set())
        if value in seen:
            return value
        if len(seen) >= _MAX_VALUES:
            return OTHER
        seen.add(value)
        return value
