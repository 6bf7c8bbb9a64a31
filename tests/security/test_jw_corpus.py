"""Every class of token against the whole negative corpus, and that corpus against verifiers with a hole."""

from functools import cache

import pytest

from remit.kernel.errors import RemitError
from remit.kernel.jose import dpop, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import ProofRejected, TokenRejected
from remit.kernel.jose.keys import Signer
from remit.kernel.jose.profiles import AudienceRule, TokenType, profile_of
from support.clock import NOON
from support.jose import AUDIENCE, Keys, Party, claims_of, key_class_of, party, private_key, valid_token
from support.jw_corpus import Knowledge, Mutation, corpus
from twins.jose import LaxVerifier

ALGORITHMS = (Algorithm.ED25519, Algorithm.ES256)


def knowledge(token_type: TokenType, owner: Party) -> Knowledge:
    profile = profile_of(token_type)
    return Knowledge(
        owner=owner.private,
        attacker=private_key("attacker", owner.private.algorithm),
        lawful_types=profile.also_typ | {token_type.value},
        one_element_audience=profile.audience is AudienceRule.STRING_OR_ONE,
    )


def audience_of(token_type: TokenType) -> str | None:
    return None if profile_of(token_type).audience is AudienceRule.ABSENT else AUDIENCE


@cache
def accepted(
    token_type: TokenType, algorithm: Algorithm
) -> tuple[list[Mutation], list[tuple[Mutation, RemitError]]]:
    owner = party(key_class_of(token_type), algorithm=algorithm)
    keys = Keys([owner.record])
    valid = valid_token(token_type, owner)
    jwt.verify(valid, as_type=token_type, keys=keys, at=NOON, audience=audience_of(token_type))
    passed: list[Mutation] = []
    refused: list[tuple[Mutation, RemitError]] = []
    for mutation in corpus(valid, knowledge(token_type, owner)):
        try:
            jwt.verify(
                mutation.token, as_type=token_type, keys=keys, at=NOON, audience=audience_of(token_type)
            )
            passed.append(mutation)
        except TokenRejected as refusal:
            refused.append((mutation, refusal))
    return passed, refused


@pytest.mark.attack(
    "JW-01", "JW-02", "JW-03", "JW-04", "JW-05", "JW-06", "JW-07", "JW-08", "JW-09", "JW-10", "JW-13",
    "JW-15", "JW-17", "JW-18", "JW-21",
)  # fmt: skip
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("token_type", list(TokenType))
def test_no_mutation_of_any_class_is_accepted(token_type: TokenType, algorithm: Algorithm) -> None:
    passed, refused = accepted(token_type, algorithm)
    assert passed == []
    assert len(refused) > 250
    assert {str(refusal) for _, refusal in refused} == {"token is not acceptable"}


@pytest.mark.attack(
    "JW-01", "JW-02", "JW-03", "JW-05", "JW-06", "JW-08", "JW-09", "JW-10", "JW-13", "JW-18",
)  # fmt: skip
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_mutation_of_a_proof_is_accepted(algorithm: Algorithm) -> None:
    owner = private_key("client", algorithm)
    target = "https://remit.example/token"
    valid = dpop.make_proof(owner, method="POST", target=target, jti="a", at=NOON)
    dpop.verify_proof(valid, method="POST", target=target, at=NOON, access_token=None)
    known = Knowledge(
        owner=owner,
        attacker=private_key("attacker", algorithm),
        lawful_types=frozenset({"dpop+jwt"}),
        lawful_algorithms=frozenset({"EdDSA"} if algorithm is Algorithm.ED25519 else ()),
        brings_key=True,
    )
    passed, sentences = [], set()
    for mutation in corpus(valid, known):
        try:
            dpop.verify_proof(mutation.token, method="POST", target=target, at=NOON, access_token=None)
            passed.append(mutation)
        except ProofRejected as refusal:
            sentences.add(str(refusal))
    assert passed == []
    assert sentences == {"DPoP proof is not acceptable"}


@pytest.mark.parametrize("token_type", list(TokenType))
def test_a_mutation_is_refused_at_the_step_that_defends_against_it(token_type: TokenType) -> None:
    steps: dict[str, set[int]] = {}
    for mutation, refusal in accepted(token_type, Algorithm.ED25519)[1]:
        assert isinstance(refusal, TokenRejected)
        steps.setdefault(mutation.attack, set()).add(refusal.step)
    assert steps["JW-02"] == {3}
    assert steps["JW-03"] == {3}
    assert steps["JW-04"] == steps["JW-05"] == steps["JW-06"] == steps["JW-08"] == {2}
    assert steps["JW-09"] <= {2, 4}
    assert steps["JW-13"] <= {2, 6}
    assert steps["JW-15"] == steps["JW-17"] == steps["JW-21"] == {6}


def lax(mutations: list[Mutation], verifier: LaxVerifier) -> list[str]:
    return [mutation.name for mutation in mutations if verifier.accepts(mutation.token)]


HOLES = (
    ("JW-01", "no_none"),
    ("JW-02", "record_decides"),
    ("JW-03", "record_decides"),
    ("JW-04", "no_header_key"),
    ("JW-05", "known_members"),
    ("JW-06", "known_members"),
    ("JW-07", "kid_decides"),
    ("JW-08", "known_members"),
    ("JW-09", "type"),
    ("JW-10", "known_members"),
    ("JW-13", "unique_members"),
    ("JW-15", "audience"),
    ("JW-17", "integers"),
    ("JW-18", "size"),
    ("JW-21", "issuer"),
)


@pytest.mark.twin(
    "JW-01", "JW-02", "JW-03", "JW-04", "JW-05", "JW-06", "JW-07", "JW-08", "JW-09", "JW-10", "JW-13",
    "JW-15", "JW-17", "JW-18", "JW-21",
)  # fmt: skip
@pytest.mark.parametrize(("attack", "missing"), HOLES)
def test_the_corpus_gets_through_where_a_defence_is_missing(attack: str, missing: str) -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN))
    valid = valid_token(TokenType.ACCESS_TOKEN, owner)
    mutations = [
        mutation
        for mutation in corpus(valid, knowledge(TokenType.ACCESS_TOKEN, owner))
        if mutation.attack == attack
    ]
    whole = LaxVerifier(owner.record, audience=AUDIENCE, at=NOON, missing="")
    holed = LaxVerifier(owner.record, audience=AUDIENCE, at=NOON, missing=missing)
    assert whole.accepts(valid)
    assert holed.accepts(valid)
    assert lax(mutations, whole) == []
    assert lax(mutations, holed) != []


@pytest.mark.twin("JW-24")
def test_a_token_of_every_class_would_be_an_access_token_where_nobody_looks_at_the_class() -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN))
    strings = [kind for kind in TokenType if profile_of(kind).audience is not AudienceRule.ABSENT]
    foreign = []
    for kind in strings:
        signer = Signer(kid=owner.record.kid, key_class=key_class_of(kind), private=owner.private)
        foreign.append(jwt.issue(claims_of(kind), as_type=kind, signer=signer))
    whole = LaxVerifier(owner.record, audience=AUDIENCE, at=NOON, missing="")
    holed = LaxVerifier(owner.record, audience=AUDIENCE, at=NOON, missing="type")
    assert [whole.accepts(token) for token in foreign].count(True) == 1
    assert all(holed.accepts(token) for token in foreign)
