"""Messages of single logout (SAML Core §3.7, Profiles §4.4), judged in the steps of every foreign word."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import NameId, instant, issuer_in, name_in
from remit.identity.federation.saml.names import ds, saml, samlp
from remit.identity.federation.saml.xml import Element, attribute_of, local, need, text_of
from remit.kernel.jose.claims import SKEW

LIFE: Final = timedelta(minutes=5)
"""How old a message may be, and so for how long it is remembered."""
MOST_SESSIONS: Final = 32
_OF_A_REQUEST: Final = frozenset(
    {saml("Issuer"), ds("Signature"), samlp("Extensions"), saml("NameID"), samlp("SessionIndex")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutAsked:
    """That somebody signs out. `sessions` are the provider's names for them; empty: all of theirs."""

    ident: str
    name: NameId
    sessions: tuple[str, ...]
    keep_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutDone:
    """A provider's answer to a request of ours."""

    to: str
    well: bool


def judge_logout_request(root: Element, *, issuer: str, destination: str, at: datetime) -> LogoutAsked:
    """Judge what a signed `LogoutRequest` says. Raises `AssertionRejected` at step 4 or 6.

    4 its type, and nothing in it that is not read   6 issuer, destination, times, one name.
    The caller MUST have verified the signature before, and see that it counts once.
    """
    _check_message(root, "LogoutRequest", issuer=issuer, destination=destination, at=at)
    strange = [each for each in root if each.tag not in _OF_A_REQUEST]
    if strange:
        raise AssertionRejected(6, "subject_malformed", debug=f"`{local(strange[0])}` in a logout request")
    until = root.get("NotOnOrAfter")
    if until is not None and at >= instant(until) + SKEW:
        raise AssertionRejected(6, "expired", debug=f"until {until[:40]}")
    listed = root.findall(samlp("SessionIndex"))
    if len(listed) > MOST_SESSIONS:
        raise AssertionRejected(6, "claim_repeated", debug=f"{len(listed)} sessions")
    return LogoutAsked(
        ident=attribute_of(root, "ID"),
        name=name_in(need(root, saml("NameID"))),
        sessions=tuple(text_of(each) for each in listed),
        keep_until=_issued(root) + LIFE + 2 * SKEW,
    )


def judge_logout_response(root: Element, *, issuer: str, destination: str, at: datetime) -> LogoutDone:
    """Judge what a signed `LogoutResponse` says. The caller MUST know the request that it names."""
    _check_message(root, "LogoutResponse", issuer=issuer, destination=destination, at=at)
    code = root.find(f"{samlp('Status')}/{samlp('StatusCode')}")
    said = "" if code is None else code.get("Value", "")
    return LogoutDone(to=attribute_of(root, "InResponseTo"), well=said == names.SUCCESS)


def _check_message(root: Element, name: str, *, issuer: str, destination: str, at: datetime) -> None:
    if root.tag != samlp(name) or root.get("Version") != "2.0" or not root.get("ID"):
        raise AssertionRejected(4, "wrong_type", debug=local(root))
    if issuer_in(root) != issuer:
        raise AssertionRejected(6, "wrong_issuer", debug=f"`{issuer_in(root)}`"[:200])
    # Bindings §3.4.5.2, §3.5.5.2: a signed message says where it goes, and it came there.
    if root.get("Destination") != destination:
        raise AssertionRejected(6, "wrong_recipient", debug=f"`{root.get('Destination')}`"[:200])
    if not at - LIFE - SKEW <= _issued(root) <= at + SKEW:
        raise AssertionRejected(6, "issued_elsewhen", debug=f"issued {_issued(root)}")


def _issued(root: Element) -> datetime:
    return instant(root.get("IssueInstant", ""))
