"""From a provider's claims to an arrival, by its mapping."""

from remit.identity.upstream.arrival import Arrival
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.id_token import IdToken, texts_of
from remit.identity.upstream.mapping import Mapping
from remit.identity.upstream.products import oidc_of
from remit.identity.upstream.provider import IdentityProvider
from remit.kernel.canonical import JsonObject
from remit.kernel.secret import Secret

TEXT_LIMIT = 256
GROUPS_LIMIT = 200
_TRUE = ("true", "1")


def mapping_of(provider: IdentityProvider) -> Mapping:
    """What its claims mean: as the administrator said, else as its product has them."""
    return provider.mapping or oidc_of(provider.product).mapping


def read_arrival(provider: IdentityProvider, token: IdToken, described: JsonObject, *, raw: str) -> Arrival:
    """Make an arrival of a judged ID token; `described` is what `userinfo` told besides.

    SAFETY: who it is, how they proved it, and what conditions are asked of, comes of the ID token alone; only
    name, address and groups may come from elsewhere. Raises `ArrivalRefused` without a subject.
    """
    mapping, members = mapping_of(provider), token.members
    told = {**described, **members}
    subject = _one(members, mapping.subject)
    if not subject or len(subject) > TEXT_LIMIT:
        raise ArrivalRefused(6, "no_subject", debug=f"`{mapping.subject}`")
    _check_home(provider, members)
    return Arrival(
        provider=provider.id,
        issuer=provider.issuer,
        subject=subject,
        acr=_one(members, "acr"),
        amr=texts_of(members.get("amr")),
        marks=marks_of(mapping, members),
        authenticated_at=token.authenticated_at,
        upstream_session=_one(members, "sid"),
        name=_one(told, mapping.name),
        email=_address(told, mapping),
        groups=texts_of(told.get(mapping.groups))[:GROUPS_LIMIT] if mapping.groups else (),
        facts=tuple((each.claim, texts_of(members.get(each.claim))) for each in provider.conditions),
        hint=Secret(raw.encode()),
    )


def marks_of(mapping: Mapping, members: JsonObject) -> tuple[str, ...]:
    """What the claims vouch for besides: every mark of which a rule is met."""
    met = {rule.mark for rule in mapping.marks if {*texts_of(members.get(rule.claim))} & {*rule.values}}
    return tuple(sorted(met))


def _check_home(provider: IdentityProvider, members: JsonObject) -> None:
    """A provider of many tenants speaks for its own alone: `tid` is the one in its issuer."""
    found = oidc_of(provider.product).issuers.fullmatch(provider.issuer)
    home = found.groupdict().get("tenant") if found is not None else None
    if home is not None and members.get("tid") != home:
        raise ArrivalRefused(6, "other_home")


def _address(told: JsonObject, mapping: Mapping) -> str:
    """An address that the provider verified; one that it did not is as good as none (AS-12)."""
    verified = mapping.email_verified and {*texts_of(told.get(mapping.email_verified))} & {*_TRUE}
    return _one(told, mapping.email) if mapping.email and (verified or mapping.email_trusted) else ""


def _one(members: JsonObject, name: str) -> str:
    value = members.get(name, "")
    fit = isinstance(value, str) and value.isprintable() and len(value) <= TEXT_LIMIT
    return str(value) if fit else ""
