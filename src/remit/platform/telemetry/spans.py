"""The names of all spans, in one place; attributes carry ids and codes, content never."""

from enum import StrEnum


class Span(StrEnum):
    """One unit of work that a trace shows."""

    HTTP_REQUEST = "remit.http.request"
    TOKEN_ISSUE = "remit.token.issue"  # noqa: S105 — the name of a span
    TOKEN_EXCHANGE = "remit.token.exchange"  # noqa: S105 — the name of a span
    DECISION = "remit.decision.decide"
    GATEWAY_CALL = "remit.gateway.call"
    UPSTREAM_CALL = "remit.upstream.call"
    COMMIT = "remit.store.commit"
    KILL = "remit.containment.kill"
    APPROVAL = "remit.approval.answer"


class Attribute(StrEnum):
    """What a span may say."""

    DECISION = "remit.decision.id"
    EFFECT = "remit.decision.effect"
    CODE = "remit.code"
    ROUTE = "http.route"
    METHOD = "http.request.method"
    STATUS = "http.response.status_code"
    REQUEST = "remit.request.id"
