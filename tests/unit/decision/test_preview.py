"""Lists show what could be permitted or asked about, and nothing else (N14, R45)."""

from dataclasses import replace

import pytest
from immutables import Map

from remit.authority.rights import Window
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.packs import default_text
from remit.decision.stages.preview import visible
from remit.identity.tools import Pin
from remit.kernel.ids import PrincipalId, ToolId
from support.clock import NOON
from support.decisions import (
    HOUR,
    TASK,
    TOOLS,
    buried,
    ceiling,
    delegated,
    envelope,
    office,
    right,
    server,
    subject,
    task,
)

BOOK, READ, REFUND, MAIL = (ToolId(f"tol_{entry.name}") for entry in TOOLS)


def shown(snapshot: Snapshot, who: object = None) -> frozenset[ToolId]:
    tools = tuple(snapshot.tools.values())
    return visible(who or subject(), server(), tools, snapshot=snapshot, at=NOON)  # type: ignore[arg-type]  # a subject


@pytest.mark.req("N14")
def test_what_is_permitted_or_asked_about_is_shown() -> None:
    assert shown(office(default_text())) == {BOOK, READ, REFUND, MAIL}
    asked = (
        '@id("x") @approval("owner")'
        ' permit(principal, action == Remit::Action::"business/mail.send", resource);'
    )
    assert shown(office(asked)) == {MAIL}


@pytest.mark.req("N14")
def test_what_hangs_on_an_argument_is_shown_and_what_hangs_on_anything_else_is_judged_now() -> None:
    amount = (
        '@id("x") permit(principal, action == Remit::Action::"business/refunds.create", resource)'
        " when { context has money && context.money.minor < 5 };"
    )
    assert shown(office(amount)) == {REFUND}
    purpose = '@id("x") permit(principal, action, resource) when { context.purpose == "audit" };'
    assert shown(office(purpose)) == frozenset()
    room = '@id("x") permit(principal, action, resource == Remit::Room::"Room-1");'
    assert {BOOK, READ} <= shown(office(room))


@pytest.mark.req("R45", "N14")
def test_two_agents_on_one_server_see_their_own_tools_only() -> None:
    text = (
        '@id("c") permit(principal == Remit::Agent::"calendar-bot",'
        ' action == Remit::Action::"business/rooms.book", resource);'
        '@id("m") permit(principal == Remit::Agent::"mail-bot",'
        ' action == Remit::Action::"business/mail.send", resource);'
    )
    chain = envelope(ceiling())
    snapshot = office(text, envelopes=Map({chain.digest: chain}))
    assert shown(snapshot) == {BOOK}
    assert shown(snapshot, delegated()) == {MAIL}


def test_rights_windows_pins_and_deaths_hide() -> None:
    base = office()
    only = replace(base, tasks=Map({TASK: task(ceiling=ceiling(right("business/rooms.read")))}))
    assert shown(only) == {READ}
    later = replace(
        base, tasks=Map({TASK: task(ceiling=ceiling(window=Window(start=NOON + HOUR, end=NOON + 2 * HOUR)))})
    )
    assert shown(later) == frozenset()
    doubted = replace(base.tools[MAIL], pin=Pin.QUARANTINED)
    assert MAIL not in shown(replace(base, tools=base.tools.set(MAIL, doubted)))
    unmapped = replace(base.tools[MAIL], mapping=None)
    assert MAIL not in shown(replace(base, tools=base.tools.set(MAIL, unmapped)))
    assert shown(buried(base, "agt_calendar")) == frozenset()
    assert shown(buried(base, MAIL, kind="tool")) == {BOOK, READ, REFUND}
    assert shown(office("")) == frozenset()
    assert shown(replace(base, ceilings=base.ceilings.delete(PrincipalId("agt_calendar")))) == frozenset()
