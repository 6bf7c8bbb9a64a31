"""What an assertion says (SAML Core §2), read from its signed element alone and not yet judged."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.names import saml
from remit.identity.federation.saml.xml import Element, attribute_of, local, need, only, text_of

MOST_ATTRIBUTES: Final = 128
MOST_VALUES: Final = 256
_KNOWN_CONDITIONS: Final = frozenset(map(saml, ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")))
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)
_MICRO: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NameId:
    """Who is spoken of (§2.2.2): a value, unique within its qualifiers, and what kind of name it is."""

    value: str
    format: str = names.UNSPECIFIED
    qualifier: str = ""
    sp_qualifier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """One `SubjectConfirmation` (§2.4.1.2): to whom, until when, and in answer to what it may be shown."""

    method: str
    recipient: str = ""
    not_before: datetime | None = None
    not_on_or_after: datetime | None = None
    in_response_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """One `AuthnStatement` (§2.7.2): when and how the provider saw the person."""

    at: datetime
    session_index: str
    session_ends_at: datetime | None
    class_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Everything that we read of an assertion. `audiences`: one tuple per restriction, all of which hold."""

    ident: str
    issuer: str
    issued_at: datetime
    name: NameId | None
    confirmations: tuple[Confirmation, ...]
    not_before: datetime | None
    not_on_or_after: datetime | None
    audiences: tuple[tuple[str, ...], ...]
    authentications: tuple[Authentication, ...]
    attributes: tuple[tuple[str, tuple[str, ...]], ...]

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an attribute; none if it is absent."""
        return dict(self.attributes).get(name, ())


def read_assertion(element: Element) -> Said:
    """Read a signed `Assertion`. Raises `AssertionRejected` at step 4 or 6 for another, or an odd, one."""
    if element.tag != saml("Assertion") or element.get("Version") != "2.0":
        raise AssertionRejected(4, "wrong_type", debug=local(element))
    subject, conditions = need(element, saml("Subject")), need(element, saml("Conditions"))
    if subject.find(saml("EncryptedID")) is not None or subject.find(saml("BaseID")) is not None:
        raise AssertionRejected(6, "subject_malformed", debug="only `NameID` is read")
    name = only(subject, saml("NameID"))
    return Said(
        ident=attribute_of(element, "ID"),
        issuer=issuer_in(element),
        issued_at=_required(element, "IssueInstant"),
        name=None if name is None else name_in(name),
        confirmations=tuple(_confirmation(each) for each in subject.findall(saml("SubjectConfirmation"))),
        not_before=_moment(conditions, "NotBefore"),
        not_on_or_after=_moment(conditions, "NotOnOrAfter"),
        audiences=_audiences(conditions),
        authentications=tuple(_authentication(each) for each in element.findall(saml("AuthnStatement"))),
        attributes=_attributes(element),
    )


def issuer_in(element: Element) -> str:
    """The entity that an element says it is from (§2.2.5)."""
    issuer = need(element, saml("Issuer"))
    if issuer.get("Format", names.ENTITY) != names.ENTITY:
        raise AssertionRejected(6, "wrong_issuer", debug="`Issuer` is no entity")
    return text_of(issuer)


def instant(text: str) -> datetime:
    """Read an instant (§1.3.3): UTC always; digits below a microsecond are cut off."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise AssertionRejected(6, "claim_malformed", debug=f"`{text[:40]}` is no instant in UTC")
    micro = int((found[2] or "0")[:_MICRO].ljust(_MICRO, "0"))
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) + timedelta(microseconds=micro)
    except (ValueError, OverflowError) as odd:
        raise AssertionRejected(6, "claim_malformed", debug=f"`{text[:40]}` is no instant") from odd


def _moment(element: Element, name: str) -> datetime | None:
    text = element.get(name)
    return None if text is None else instant(text)


def _required(element: Element, name: str) -> datetime:
    found = _moment(element, name)
    if found is None:
        raise AssertionRejected(6, "claim_missing", debug=f"`{name}` of `{local(element)}`")
    return found


def name_in(element: Element) -> NameId:
    """Read a `NameID`."""
    return NameId(
        value=text_of(element),
        format=attribute_of(element, "Format") or names.UNSPECIFIED,
        qualifier=attribute_of(element, "NameQualifier"),
        sp_qualifier=attribute_of(element, "SPNameQualifier"),
    )


def _confirmation(element: Element) -> Confirmation:
    method, data = attribute_of(element, "Method"), only(element, saml("SubjectConfirmationData"))
    if data is None:
        return Confirmation(method=method)
    return Confirmation(
        method=method,
        recipient=attribute_of(data, "Recipient"),
        not_before=_moment(data, "NotBefore"),
        not_on_or_after=_moment(data, "NotOnOrAfter"),
        in_response_to=attribute_of(data, "InResponseTo"),
    )


def _audiences(conditions: Element) -> tuple[tuple[str, ...], ...]:
    """§2.5.1: a condition that is not understood leaves the assertion without a verdict, so it is refused."""
    unknown = [each for each in conditions if each.tag not in _KNOWN_CONDITIONS]
    if unknown:
        raise AssertionRejected(6, "condition_unknown", debug=local(unknown[0]))
    return tuple(
        tuple(text_of(each) for each in restriction.findall(saml("Audience")))
        for restriction in conditions.findall(saml("AudienceRestriction"))
    )


def _authentication(element: Element) -> Authentication:
    context = need(element, saml("AuthnContext"))
    ref = only(context, saml("AuthnContextClassRef"))
    return Authentication(
        at=_required(element, "AuthnInstant"),
        session_index=attribute_of(element, "SessionIndex"),
        session_ends_at=_moment(element, "SessionNotOnOrAfter"),
        class_ref="" if ref is None else text_of(ref),
    )


def _attributes(element: Element) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """All attributes by name; the same name twice would be two answers to one question."""
    found: dict[str, tuple[str, ...]] = {}
    for each in element.iterfind(f"{saml('AttributeStatement')}/{saml('Attribute')}"):
        name, values = attribute_of(each, "Name"), each.findall(saml("AttributeValue"))
        if not name or name in found or len(found) >= MOST_ATTRIBUTES or len(values) > MOST_VALUES:
            raise AssertionRejected(6, "claim_repeated", debug=f"attribute `{name[:64]}`")
        # An empty or structured value says nothing that we could compare.
        found[name] = tuple(text_of(value) for value in values if value.text and not len(value))
    return tuple(found.items())
