"""Every name on the approval card is somebody else's: none of them may turn the page's own words around."""

from collections.abc import Sequence
from datetime import datetime

import httpx2
import pytest
from starlette.applications import Starlette

from remit.authority.tokens import Proof
from remit.identity.sessions import Session
from remit.identity.sign_in_service import AnswerQuestion, ProvenAnswer
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.kernel.secret import Secret
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.beside import Beside, beside
from remit.oversight.approvals.service import AnswerProof
from remit.surface.web.pages.approval import ApprovalPages
from remit.surface.web.pages.paper import Paper
from remit.surface.web.session import SessionDoor
from support.asks import AT, ask

TURNED = "refunds_\u202ecreate\u200b"


class OneAsk:
    """An inbox with one ask in it."""

    def __init__(self, held: Approval) -> None:
        self._held = held

    async def get(self, ident: ApprovalId) -> Approval:
        assert ident == self._held.id
        return self._held

    async def answer(self, ident: ApprovalId, *, answer: Answer, proof: AnswerProof) -> Approval:
        raise AssertionError("opening a page answers nothing")


class NoPasskeys:
    """A person without one: the link alone opens the form."""

    async def ask_answer(
        self, human: PrincipalId, *, about: str, answers: Sequence[str], bound_to: str
    ) -> AnswerQuestion | None:
        assert (human, bool(about), bool(bound_to)) == ("usr_lead", True, True)
        assert list(answers) == ["approve", "deny"]
        return None

    async def prove_answer(
        self, text: str, *, ticket: str, human: PrincipalId, about: str, answer: str, bound_to: str
    ) -> ProvenAnswer:
        raise AssertionError("opening a page proves nothing")


class NobodyIn:
    """Nobody is signed in."""

    async def current(self, secret: Secret) -> Session | None:
        raise AssertionError("no cookie was sent")


class NothingKnown:
    async def beside(self, approval: Approval) -> Beside:
        return beside(approval, earlier=(), decision=None, sources=())


async def page_of(held: Approval) -> str:
    def read_link(_link: str, _at: datetime) -> AnswerProof:
        return AnswerProof(
            approval=held.id,
            by=PrincipalId("usr_lead"),
            digest=held.digest,
            tenant=held.tenant,
            channel="link",
            once=Proof(key="approval-link", jti="1", keep_until=AT),
        )

    issuer = "https://remit.company.com"
    pages = ApprovalPages(
        asks=OneAsk(held),
        read_link=read_link,
        own_link=lambda _approval, _to: "",
        confirms=NoPasskeys(),
        cards=NothingKnown(),
        door=SessionDoor(sessions=NobodyIn(), issuer=issuer, origins=frozenset({issuer})),
        paper=Paper(issuer=issuer, origin=issuer),
        now=lambda: AT,
        name_of=str,
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=pages.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url=issuer, trust_env=False) as client:
        return (await client.get("/approve/secret")).text


@pytest.mark.attack("CB-02", "CO-03")
@pytest.mark.parametrize(
    "member", ["agent_name", "user_name", "purpose", "reason", "tool", "rule", "approvers", "resource"]
)
async def test_what_others_wrote_is_made_visible_wherever_it_stands(member: str) -> None:
    text = await page_of(ask(**{member: TURNED}))
    assert "\u202e" not in text
    assert "\u200b" not in text
    assert "refunds_⟨U+202E⟩create⟨U+200B⟩" in text
    assert "holds invisible or control characters" in text
