"""Metrics stay bounded, spans carry codes and no text, log lines join the trace."""

import io
import json

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from remit.kernel.errors import Conflict
from remit.platform.settings.options import LogFormat, TelemetryOptions
from remit.platform.telemetry.logging import configure_logging
from remit.platform.telemetry.metrics import Metrics
from remit.platform.telemetry.observed import observed
from remit.platform.telemetry.spans import Span
from support.spans import recording


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    """Every span of this process; the provider can be set only once."""
    return recording()


@pytest.mark.attack("DS-14")
def test_no_caller_can_grow_the_labels() -> None:
    metrics = Metrics()
    for number in range(5_000):
        metrics.request(method=f"M{number}", route=f"/x/{number}", status=200, seconds=0.001)
        metrics.operation(name=f"n{number}", outcome="ok", seconds=0.1)
    text = metrics.render()[0].decode()
    assert text.count("remit_http_requests_total{") <= 201
    assert 'route="other"' in text
    assert 'method="other"' in text


@pytest.mark.twin("DS-14")
def test_unbounded_labels_would_grow() -> None:
    class Unbounded(Metrics):
        def _bounded(self, label: str, value: str) -> str:
            return value

    metrics = Unbounded()
    for number in range(500):
        metrics.request(method="GET", route=f"/x/{number}", status=200, seconds=0.001)
    assert metrics.render()[0].decode().count("remit_http_requests_total{") == 500


async def test_an_observed_use_case_is_timed_and_its_error_is_told_by_code_alone(
    spans: InMemorySpanExporter,
) -> None:
    metrics = Metrics()

    @observed(Span.DECISION, metrics)
    async def decide(*, fails: bool) -> int:
        if fails:
            raise Conflict("something with `content`")
        return 7

    assert await decide(fails=False) == 7
    with pytest.raises(Conflict):
        await decide(fails=True)
    text = metrics.render()[0].decode()
    assert 'operation="remit.decision.decide",outcome="ok"' in text
    assert 'operation="remit.decision.decide",outcome="conflict"' in text
    found = [each for each in spans.get_finished_spans() if each.name == Span.DECISION]
    assert [dict(each.attributes or {}) for each in found] == [{}, {"remit.code": "conflict"}]
    assert not any(each.events for each in found)
    assert "content" not in repr([each.to_json() for each in found])


def test_a_log_line_names_its_trace(spans: InMemorySpanExporter) -> None:
    stream = io.StringIO()
    configure_logging(TelemetryOptions(log_format=LogFormat.JSON), stream=stream)
    with trace.get_tracer("t").start_as_current_span("outer") as span:
        structlog.stdlib.get_logger("remit.test").info("a.b.done")
    assert json.loads(stream.getvalue())["trace"] == f"{span.get_span_context().trace_id:032x}"
