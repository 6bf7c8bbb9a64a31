"""Whether what we count on is what the provider says that it gives: algorithms, scopes, marks, conditions."""

from collections.abc import Iterator, Sequence
from typing import Final

from remit.identity.upstream.examination.step import Step, either, well
from remit.identity.upstream.mapping import Mapping
from remit.identity.upstream.provider import IdentityProvider, OidcClient
from remit.identity.upstream.reading import mapping_of
from remit.kernel.canonical import JsonObject
from remit.kernel.jose.algorithms import EDDSA, Algorithm

_TAKEN: Final = frozenset({*(each.value for each in Algorithm), EDDSA})


def profile_steps(provider: IdentityProvider, client: OidcClient, document: JsonObject) -> Iterator[Step]:
    """What its metadata (Discovery §3) says of each thing that a sign-in here stands on."""
    mapping = mapping_of(provider)
    yield _algorithms(document)
    yield _subject(mapping, document)
    yield _strength(mapping, client, document)
    yield _conditions(provider, document)
    told = document.get("backchannel_logout_supported") is True
    yield well("logout", "back-channel" if told else "not announced; sessions end by their own limits")


def listed(document: JsonObject, member: str) -> tuple[str, ...] | None:
    """The texts of a list in the metadata; None where it says nothing."""
    found = document.get(member)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else None


def _algorithms(document: JsonObject) -> Step:
    """RFC 8725 §3.1; who does not say signs by RS256 (Core §15.1)."""
    named = listed(document, "id_token_signing_alg_values_supported") or ("RS256",)
    usable = [name for name in named if name in _TAKEN]
    return either(
        "ID token",
        ok=bool(usable),
        well=", ".join(usable),
        ill=f"signed by {', '.join(named)[:200]}, none of which is taken here",
        fix=f"sign ID tokens with one of {', '.join(sorted(_TAKEN))}",
    )


def _subject(mapping: Mapping, document: JsonObject) -> Step:
    named = listed(document, "claims_supported")
    return well("subject", f"`{mapping.subject}`{_unsaid(named, [mapping.subject])}")


def _strength(mapping: Mapping, client: OidcClient, document: JsonObject) -> Step:
    """What is asked for, and what a mark waits for, in `acr` must be something that it can say."""
    named = listed(document, "acr_values_supported")
    wanted = {*client.acr_values, *(v for rule in mapping.marks if rule.claim == "acr" for v in rule.values)}
    never = sorted(wanted - {*named}) if named is not None else []
    marks = ", ".join(f"{rule.mark} by {rule.claim}" for rule in mapping.marks) or "no marks"
    return either(
        "second factor",
        ok=not never,
        well=marks,
        ill=f"`acr` is never {', '.join(f'`{each[:80]}`' for each in never[:8])} there",
        fix=f"name one of {', '.join(named or ())[:200] or 'its levels'} in --acr and --mark",
    )


def _conditions(provider: IdentityProvider, document: JsonObject) -> Step:
    if not provider.conditions:
        return well("conditions", "none")
    asked = [each.claim for each in provider.conditions]
    shown = ", ".join(f"{each.claim}={'|'.join(each.values)}"[:120] for each in provider.conditions)
    return well("conditions", f"{shown}{_unsaid(listed(document, 'claims_supported'), asked)}")


def _unsaid(named: Sequence[str] | None, wanted: Sequence[str]) -> str:
    """Discovery §3 lets the list be shorter than the truth, so a gap in it is said, and is no fault."""
    gaps = [each for each in wanted if named is not None and each not in named]
    return f"; `{', '.join(gaps)}` is not in its `claims_supported`" if gaps else ""
