"""Claims of a JWT (RFC 7519 §4), judged strictly: integers for times, equality for names."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.kernel.building import builder
from remit.kernel.canonical import Json, JsonLimits, JsonObject, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.profiles import AudienceRule, TokenProfile

CLAIM_LIMITS: Final = JsonLimits(size=16 << 10, depth=16, members=512, string=8 << 10)
SKEW: Final = timedelta(seconds=30)
"""How far into the future `iat` and `nbf` may lie."""

_EARLIEST: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
_LATEST: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
_STEP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of a token whose signature held.

    `members` are all of them; the named ones have been judged. Absent strings are empty.
    """

    issuer: str
    subject: str
    audience: str
    issued_at: datetime | None
    not_before: datetime | None
    expires_at: datetime
    jti: str
    members: JsonObject

    @staticmethod
    def read(payload: bytes, profile: TokenProfile) -> "Claims":
        """Read the payload in the form that the class demands; nothing is compared yet."""
        return Claims.of(unverified_members(payload), profile)

    @staticmethod
    def of(members: JsonObject, profile: TokenProfile) -> "Claims":
        """See what a payload was read as in the form that the class demands."""
        for name in profile.required:
            value = members.get(name)
            if not value or not isinstance(value, str):
                raise TokenRejected(_STEP, "claim_missing", debug=f"`{name}` must be a string")
        expires_at = _moment(members, "exp")
        if expires_at is None:
            raise TokenRejected(_STEP, "claim_missing", debug="`exp` is absent")
        return _judged(
            issuer=_text(members, "iss"),
            subject=_text(members, "sub"),
            audience=_audience(members, profile.audience),
            issued_at=_moment(members, "iat"),
            not_before=_moment(members, "nbf"),
            expires_at=expires_at,
            jti=_text(members, "jti"),
            members=members,
        )

    def check_times(self, profile: TokenProfile, at: datetime) -> None:
        """Hold the token against the clock: begun, not over, not meant to live longer than its class."""
        if self.issued_at is None and profile.needs_issued_at:
            raise TokenRejected(_STEP, "claim_missing", debug="`iat` is absent")
        # Each moment first as it stands: leeway and skew only ever widen, and seldom matter.
        if at >= self.expires_at and at >= self.expires_at + profile.leeway:
            raise TokenRejected(_STEP, "expired", debug=f"expired at {self.expires_at}")
        if self.not_before is not None and at < self.not_before and at < self.not_before - SKEW:
            raise TokenRejected(_STEP, "not_yet_valid", debug=f"not before {self.not_before}")
        if self.issued_at is not None and at < self.issued_at and at < self.issued_at - SKEW:
            raise TokenRejected(_STEP, "issued_in_future", debug=f"issued at {self.issued_at}")
        if self.expires_at - (self.issued_at or at) > profile.longest:
            raise TokenRejected(_STEP, "lives_too_long", debug=f"the limit is {profile.longest}")

    def text(self, name: str) -> str:
        """Give a string claim that must be there."""
        value = self.optional_text(name)
        if not value:
            raise TokenRejected(_STEP, "claim_missing", debug=f"`{name}` must be a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """Give a string claim, or None where it is absent; another type is refused."""
        if name not in self.members:
            return None
        return _text(self.members, name)


_judged = builder(Claims)


def unverified_members(payload: bytes) -> JsonObject:
    """Read a payload as strict JSON within `CLAIM_LIMITS`; it proves nothing."""
    try:
        members = parse_object(payload, limits=CLAIM_LIMITS)
    except RemitError as broken:
        raise TokenRejected(_STEP, "claims_malformed", debug=broken.hint) from broken
    # JSON has one way to write NUL. Claims become keys of rows, and PostgreSQL's text can't hold it.
    if b"\\u0000" in payload and _holds_nul(members):
        raise TokenRejected(_STEP, "claims_malformed", debug="a string holds a NUL character")
    return members


def _holds_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(member) for name, member in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def _text(members: JsonObject, name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise TokenRejected(_STEP, "claim_malformed", debug=f"`{name}` is not a string")
    return value


def _moment(members: JsonObject, name: str) -> datetime | None:
    """Read a NumericDate (RFC 7519 §2), whole seconds only.

    RFC 7519 allows fractions; we refuse them, as they do not survive every reader unchanged.
    """
    if name not in members:
        return None
    value = members[name]
    # `True` is an `int` in Python; its exact type is not.
    if type(value) is not int or not _EARLIEST <= value < _LATEST:
        raise TokenRejected(_STEP, "claim_malformed", debug=f"`{name}` is not a sane time")
    return _instant(value)


@lru_cache(maxsize=1024)
def _instant(seconds: int) -> datetime:
    """Pure; what was issued in one second shares its times."""
    return datetime.fromtimestamp(seconds, UTC)


def _audience(members: JsonObject, rule: AudienceRule) -> str:
    value: Json = members.get("aud")
    if rule is AudienceRule.ABSENT:
        if "aud" in members:
            raise TokenRejected(_STEP, "audience_unexpected", debug="this class has no `aud`")
        return ""
    if rule is AudienceRule.STRING_OR_ONE and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value:
        raise TokenRejected(_STEP, "audience_malformed", debug="`aud` must be one string")
    return value
