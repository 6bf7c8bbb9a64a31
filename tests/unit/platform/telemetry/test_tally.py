"""Figures that are added up as plain numbers are those of the library's own counters."""

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from remit.platform.telemetry.metrics import Metrics
from remit.platform.telemetry.tally import BOUNDS

_seconds = st.sampled_from(BOUNDS) | st.floats(0, 20)
_LINE = re.compile(r"^remit_(?!\w*_created|state).*$|^# TYPE remit_(?!\w*_created|state).*$", re.MULTILINE)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([200, 404]), _seconds), max_size=20))
def test_the_exposition_is_the_librarys_own(seen: list[tuple[str, int, float]]) -> None:
    ours, registry = Metrics(), CollectorRegistry()
    requests = Counter("remit_http_requests", "", ["method", "route", "status"], registry=registry)
    times = Histogram("remit_http_request_seconds", "", ["route"], buckets=BOUNDS, registry=registry)
    Counter("remit_decisions", "", ["effect", "stage"], registry=registry)
    Counter("remit_gateway_calls", "", ["outcome"], registry=registry)
    inner = Histogram(
        "remit_operation_seconds", "", ["operation", "outcome"], buckets=BOUNDS, registry=registry
    )
    for route, status, seconds in seen:
        ours.request(method="GET", route=route, status=status, seconds=seconds)
        ours.operation(name=route, outcome="ok", seconds=seconds)
        requests.labels("GET", route, str(status)).inc()
        times.labels(route).observe(seconds)
        inner.labels(route, "ok").observe(seconds)
    told, wanted = ours.render()[0].decode(), generate_latest(registry).decode()
    assert _LINE.findall(told) == _LINE.findall(wanted)
