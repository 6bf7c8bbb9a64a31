"""A decorator that times a use case and opens its span, so that the use case itself says nothing of it."""

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from opentelemetry.trace import Status, StatusCode

from remit.kernel.errors import RemitError
from remit.platform.telemetry.metrics import Metrics
from remit.platform.telemetry.spans import Attribute, Span
from remit.platform.telemetry.tracing import opened

P = ParamSpec("P")
R = TypeVar("R")


def observed(
    span: Span, metrics: Metrics
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Wrap an asynchronous use case: one span, one timing, the error's code and never its text."""

    def wrap(inner: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @functools.wraps(inner)
        async def outer(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.perf_counter()
            outcome = "ok"
            with opened(span, tells_errors=False) as current:
                try:
                    return await inner(*args, **kwargs)
                except BaseException as failed:
                    outcome = failed.code if isinstance(failed, RemitError) else "internal"
                    current.set_attribute(Attribute.CODE, outcome)
                    current.set_status(Status(StatusCode.ERROR))
                    raise
                finally:
                    metrics.operation(name=span, outcome=outcome, seconds=time.perf_counter() - started)

        return outer

    return wrap
