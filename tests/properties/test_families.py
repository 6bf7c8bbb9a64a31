"""Refresh families under every order of honest, racing and stolen uses: never two leaves, theft is final."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.oauth.asking.families import (
    RACE,
    Family,
    FamilyId,
    FamilyState,
    Presenter,
    RefreshToken,
    Verdict,
    judge,
)
from remit.authority.oauth.wire.pkce import challenge_of, proves
from remit.kernel.ids import PrincipalId, SessionId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from support.clock import NOON

CLIENT: Final = Presenter(client_id="cli_x", authenticated=False, key="key")
STRANGER: Final = replace(CLIENT, key="other")


def begun() -> Family:
    return Family(
        id=FamilyId("fam_1"),
        tenant=DEFAULT_TENANT,
        client_id="cli_x",
        principal=PrincipalId("ins_1"),
        user=UserId("usr_1"),
        session=SessionId("ses_1"),
        task=None,
        resource="r",
        scopes=frozenset(),
        key="key",
        acr="",
        amr=(),
        signed_in_at=NOON,
        started_at=NOON,
        used_at=NOON,
        ends_at=NOON + timedelta(days=7),
        idle=timedelta(hours=12),
        refresh_count=1000,
    )


class Store:
    """What the repository does, in memory: one family and every token that it ever gave."""

    def __init__(self) -> None:
        self.family = begun()
        self.tokens = {"0": _token("0", 0)}

    def show(self, name: str, presenter: Presenter, at: datetime) -> Verdict:
        token = self.tokens[name]
        found = judge(token, self.family, self.tokens.get(token.successor), presenter, at=at)
        match found.verdict:
            case Verdict.ROTATE:
                number = self.family.number + 1
                self.tokens[name] = replace(token, used_at=at, successor=str(number))
                self.tokens[str(number)] = _token(str(number), number)
                self.family = replace(self.family, number=number, used_at=at)
            case Verdict.THEFT:
                self.family = replace(self.family, state=FamilyState.ENDED)
            case Verdict.REPEAT | Verdict.REFUSE:
                pass
        return found.verdict

    @property
    def leaves(self) -> list[str]:
        return [name for name, token in self.tokens.items() if token.used_at is None]


def _token(name: str, number: int) -> RefreshToken:
    return RefreshToken(
        id=name, tenant=DEFAULT_TENANT, family=FamilyId("fam_1"), number=number, issued_at=NOON
    )


uses = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([CLIENT, STRANGER, replace(CLIENT, client_id="cli_y")]),
        st.sampled_from([timedelta(0), timedelta(seconds=3), RACE, RACE + timedelta(seconds=1)]),
    ),
    max_size=30,
)


@pytest.mark.attack("RT-01", "RT-02")
@pytest.mark.req("R27")
@given(uses)
def test_there_never_are_two_leaves_and_theft_is_the_end(
    shown: list[tuple[int, Presenter, timedelta]],
) -> None:
    store, at = Store(), NOON
    for back, presenter, wait in shown:
        at += wait
        name = str(max(0, store.family.number - back))
        ended, before = store.family.state is FamilyState.ENDED, dict(store.tokens)
        verdict = store.show(name, presenter, at)
        assert len(store.leaves) == 1
        if ended or presenter is not CLIENT:
            assert verdict is Verdict.REFUSE
            assert store.tokens == before
        elif verdict is Verdict.REPEAT:
            # A lost answer: the newest leaf's own parent, soon after its use.
            assert store.tokens[name].successor == store.leaves[0]
        elif verdict is Verdict.THEFT:
            assert before[name].used_at is not None


@pytest.mark.spec("RFC 7636", "4.6")
@given(st.text(max_size=140), st.text(alphabet="abcXYZ019-._~", min_size=43, max_size=128))
def test_only_the_verifier_itself_proves_its_challenge(other: str, verifier: str) -> None:
    challenge = challenge_of(verifier)
    assert proves(verifier, challenge)
    assert proves(other, challenge) is (other == verifier)
    assert not proves(challenge, challenge)


@pytest.mark.spec("RFC 7636", "B")
def test_the_example_of_the_standard() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
