"""Structured logs: one line per fact, redacted last, joined to traces and decisions by id.

Event names are `source.subject.verb_past`. Everything that the standard library logs takes the same door.
"""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final, TextIO

import structlog
from opentelemetry import trace

from remit.platform.settings.options import LogFormat, TelemetryOptions
from remit.platform.telemetry.redaction import redact

REQUEST: Final = ContextVar("remit_request", default="")
"""Id of the request that is being answered here; a variable of its own, for every request sets it."""
_FOREIGN = (
    "alembic", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx2", "httpcore2", "mcp",
    "signxml",  # says whole assertions, where it is let
)  # fmt: skip
_OWN = frozenset({"event", "level", "timestamp", "logger"})


def configure_logging(options: TelemetryOptions, *, stream: TextIO = sys.stderr) -> None:
    """Install the chain for our loggers and for everybody else's; called once, by the process's start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        join_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        join_trace,
        structlog.processors.format_exc_info,
        redact_line,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(options.log_format, [carry_exception, *shared], stream))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(options.log_level.upper())
    for noisy in _FOREIGN:
        foreign = logging.getLogger(noisy)
        foreign.handlers, foreign.propagate = [], True
        foreign.setLevel(max(root.level, logging.WARNING))


def join_request(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the id of the request that is being answered."""
    if request := REQUEST.get():
        line["request"] = request
    return line


def join_trace(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the current span, so that a log line leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace"] = f"{context.trace_id:032x}"
        line["span"] = f"{context.span_id:016x}"
    return line


def redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """SAFETY: the last step before rendering; what it lets through is what the world can read."""
    for name in list(line):
        if name.startswith("_"):
            continue  # structlog's own record and its origin, which the formatter removes
        line[name] = redact(line[name], name="" if name in _OWN else name)
    return line


def carry_exception(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Bring a foreign record's exception into the line, so that it is redacted with it."""
    record = line.get("_record")
    if isinstance(record, logging.LogRecord) and record.exc_info:
        line["exc_info"] = record.exc_info
    return line


def _formatter(
    chosen: LogFormat, foreign_chain: list[Any], stream: TextIO
) -> structlog.stdlib.ProcessorFormatter:
    renderer: Any
    if chosen is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=foreign_chain,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
