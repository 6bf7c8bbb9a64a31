"""Spans that cost next to nothing while nobody collects them, which is how most installations run."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from opentelemetry import trace
from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER
from opentelemetry.trace import INVALID_SPAN, ProxyTracerProvider, SpanKind

from remit.platform.telemetry.spans import Span

_tracer = trace.get_tracer("remit")
_NOTHING: Final = nullcontext(INVALID_SPAN)
_NAMED: Final = OTEL_PYTHON_TRACER_PROVIDER in os.environ
"""Whether the environment names a provider, which is then made on first use."""
_INSTALLED: Final = "_TRACER_PROVIDER"
"""COMPAT: where the library keeps what `set_tracer_provider` gave it; where it is no more, it is asked."""


def is_collecting() -> bool:
    """Whether a tracer provider is installed: what one is asked for otherwise is thrown away."""
    if not _NAMED and getattr(trace, _INSTALLED, _NOTHING) is None:
        return False
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def opened(
    span: Span, *, kind: SpanKind = SpanKind.INTERNAL, tells_errors: bool = True
) -> AbstractContextManager[trace.Span]:
    """Open a span for a block; a span that records nothing while no provider is installed.

    `tells_errors` lets the span carry what was raised in the block.
    """
    if not is_collecting():
        return _NOTHING
    return _tracer.start_as_current_span(
        span, kind=kind, record_exception=tells_errors, set_status_on_exception=tells_errors
    )
