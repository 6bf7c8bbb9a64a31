"""What an operator reads off `/metrics` and traces after real calls: figures and codes, never who or what."""

import asyncio
import re
from pathlib import Path

import pytest

from remit.oversight.containment.kill import TargetKind
from remit.platform.telemetry.spans import Attribute, Span
from support.composed import populated
from support.house import BOOKING, REFUND
from support.spans import recording

IDENTIFIER = re.compile(r"\b[a-z]{3,4}_[0-9A-HJKMNP-TV-Z]{20,}")


@pytest.mark.promise("P14")
async def test_figures_and_spans_tell_what_happens_and_to_nobody_whom(tmp_path: Path) -> None:
    spans = recording()
    async with populated(tmp_path / "data") as house:
        started = await house.task("support-bot", purpose="support")
        bot = house["support-bot"]
        token = await house.exchange(bot, started.envelope)
        assert (await house.call(bot, token, "customers_read", {"customer_id": "C-100"})).ran
        assert not (await house.call(bot, token, "rooms_book", {**BOOKING, "surprise": "x"})).ran
        waiting = asyncio.create_task(house.call(bot, token, "refunds_create", REFUND))
        await house.pending()
        seen = (await house.http.get(f"{house.issuer}/metrics")).text
        assert 'remit_state{name="approvals_pending"} 1.0' in seen
        assert 'remit_state{name="agents_secretless"} 0.0' in seen
        await house.kill(TargetKind.AGENT, bot.agent)
        await waiting
        text = (await house.http.get(f"{house.issuer}/metrics")).text
        assert 'remit_decisions_total{effect="permit",stage="policy"}' in text
        assert 'remit_decisions_total{effect="ask",stage="policy"}' in text
        assert 'remit_gateway_calls_total{outcome="done"}' in text
        assert 'remit_operation_seconds_count{operation="remit.decision.decide",outcome="ok"}' in text
        assert 'remit_operation_seconds_count{operation="remit.gateway.call",outcome="ok"}' in text
        assert 'remit_state{name="kills"} 1.0' in text
        assert 'remit_state{name="approvals_pending"} 0.0' in text
        secrets = (token, started.envelope, "Room-401", "C-100", "8812", "user@company.com", "support-bot")
        for each in secrets:
            assert each not in text
        assert not IDENTIFIER.search(text)
    told = [each for each in spans.get_finished_spans() if each.name.startswith("remit.")]
    assert {Span.DECISION, Span.GATEWAY_CALL} <= {each.name for each in told}
    decided = next(each for each in told if each.name == Span.DECISION)
    assert str((decided.attributes or {})[Attribute.DECISION]).startswith("dec_")
    for span in told:
        assert set(span.attributes or {}) <= set(Attribute)
        shown = f"{span.name} {dict(span.attributes or {})} {[event.attributes for event in span.events]}"
        assert not [each for each in secrets if each in shown]
