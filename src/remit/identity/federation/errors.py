"""What an administrator, or a workload, can do differently."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError, Unavailable


class IssuerUnfit(Invalid):
    """An issuer, its address, its audience or its life does not fit the profile."""

    code: ClassVar[str] = "issuer_unfit"


class IssuerAlike(Conflict):
    """The issuer, or one that a reader would take for it, is trusted already; `debug` names it."""

    code: ClassVar[str] = "issuer_alike"


class UnknownIssuer(NotFound):
    """No issuer of this id or name is trusted here."""

    code: ClassVar[str] = "unknown_issuer"


class UnknownRule(NotFound):
    """No such rule of this issuer."""

    code: ClassVar[str] = "unknown_trust_rule"


class RuleProvesNothing(Invalid):
    """The conditions do not pin down a workload: whoever the issuer serves would be the agent (AS-10)."""

    code: ClassVar[str] = "rule_proves_nothing"


class RuleUnfit(Invalid):
    """A condition names an unknown or an ignored claim, or a pattern that the claim does not admit."""

    code: ClassVar[str] = "rule_unfit"


class KeysUnfit(Invalid):
    """A key set or bundle is malformed, too large, ambiguous, older than the one we have, or empty."""

    code: ClassVar[str] = "issuer_keys_unfit"


class KeysUnreachable(Unavailable):
    """The issuer's keys can't be had now."""

    code: ClassVar[str] = "issuer_keys_unreachable"


class AssertionRejected(RemitError):
    """A foreign assertion failed one numbered step of its verification; `reason` is never sent.

    Steps: 1 form, 2 header, 3 key and algorithm, 4 type, 5 signature, 6 claims, 7 replay, 8 rule.
    """

    code: ClassVar[str] = "assertion_rejected"
    kind: ClassVar[str] = "unauthenticated"

    def __init__(self, step: int, reason: str, *, debug: str = "") -> None:
        super().__init__("assertion is not acceptable", debug=debug)
        self.step = step
        self.reason = reason


class SvidRejected(RemitError):
    """An X.509-SVID failed validation; `reason` is stable and for the record."""

    code: ClassVar[str] = "svid_rejected"
    kind: ClassVar[str] = "unauthenticated"

    def __init__(self, reason: str, *, debug: str = "") -> None:
        super().__init__("SVID is not acceptable", debug=debug)
        self.reason = reason


class NotAnInstance(RemitError):
    """Only an instance with its own token is given an SVID: people and delegated tokens have none."""

    code: ClassVar[str] = "not_an_instance"
    kind: ClassVar[str] = "forbidden"
