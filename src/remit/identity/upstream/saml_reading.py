"""From a judged assertion to an arrival, by its provider's mapping."""

from remit.identity.federation.saml import names
from remit.identity.federation.saml.judge import Judged
from remit.identity.upstream.arrival import Arrival
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.provider import IdentityProvider, SamlPeer
from remit.identity.upstream.reading import GROUPS_LIMIT, TEXT_LIMIT, mapping_of, marks_of
from remit.identity.upstream.saml_products import CONTEXT, NAME_ID, saml_of
from remit.kernel.canonical import JsonObject


def read_saml_arrival(provider: IdentityProvider, peer: SamlPeer, judged: Judged) -> Arrival:
    """Make an arrival of an assertion. Raises `ArrivalRefused` without a subject that names one for ever."""
    said = judged.authentication
    if said is None:
        raise ArrivalRefused(6, "not_authenticated", debug="no `AuthnStatement`")
    told, mapping = _told(judged), mapping_of(provider)
    _check_home(provider, judged)
    return Arrival(
        provider=provider.id,
        issuer=judged.issuer,
        subject=_subject(mapping.subject, peer, judged),
        acr=said.class_ref[:TEXT_LIMIT],
        marks=marks_of(mapping, told),
        authenticated_at=said.at,
        upstream_session=said.session_index[:TEXT_LIMIT],
        name=_one(judged, mapping.name),
        # SAML says of no address that it was verified: it counts if the administrator says that it does.
        email=_one(judged, mapping.email) if mapping.email_trusted else "",
        groups=judged.values(mapping.groups)[:GROUPS_LIMIT] if mapping.groups else (),
        facts=tuple((each.claim, _values(judged, each.claim)) for each in provider.conditions),
    )


def _subject(claim: str, peer: SamlPeer, judged: Judged) -> str:
    """Who it is: a name of the one format that lasts, or an attribute with one value (AS-12).

    A transient name is somebody else each time, and an address may be given to somebody else: neither is
    taken unless the administrator chose that very format, and a transient one never.
    """
    name = judged.name
    if claim != NAME_ID:
        values = judged.values(claim)
        subject = values[0] if len(values) == 1 else ""
    elif name is None or name.format == names.TRANSIENT or name.format != peer.name_format:
        raise ArrivalRefused(6, "subject_format", debug=f"`{name.format if name else ''}`")
    else:
        subject = name.value
    if not subject or len(subject) > TEXT_LIMIT:
        raise ArrivalRefused(6, "no_subject", debug=f"`{claim}`")
    return subject


def _check_home(provider: IdentityProvider, judged: Judged) -> None:
    """A provider of many tenants speaks for its own alone."""
    product = saml_of(provider.product)
    found = product.entities.fullmatch(provider.issuer)
    home = found.groupdict().get("tenant") if found is not None else None
    if home is not None and judged.values(product.home) != (home,):
        raise ArrivalRefused(6, "other_home", debug=f"`{product.home}`")


def _told(judged: Judged) -> JsonObject:
    """Everything that rules for marks may name."""
    return {
        **{name: [*values] for name, values in judged.attributes},
        NAME_ID: [*_values(judged, NAME_ID)],
        CONTEXT: [*_values(judged, CONTEXT)],
    }


def _values(judged: Judged, claim: str) -> tuple[str, ...]:
    if claim == CONTEXT:
        said = judged.authentication
        return (said.class_ref,) if said is not None and said.class_ref else ()
    if claim == NAME_ID:
        return (judged.name.value,) if judged.name is not None else ()
    return judged.values(claim)


def _one(judged: Judged, name: str) -> str:
    values = judged.values(name) if name else ()
    return values[0] if len(values) == 1 and len(values[0]) <= TEXT_LIMIT else ""
