"""N9: five verdicts in the field's words, each with a signed receipt that needs nobody to be verified."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from remit.decision.answer.response import Obligation
from remit.decision.call.request import ProposedCall
from remit.enforcement.pep import obligations
from remit.ledger.receipt import Receipt
from remit.ledger.words import Word, word_of, word_of_record
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from remit.surface.cli.main import run
from support.clock import NOON
from support.deciding import desk
from support.decisions import PERMIT_ALL, call, subject
from support.ledger import TestSigner

WEAK = subject(acr="urn:weak", signed_in_at=NOON)
CASES: dict[Word, tuple[str, ProposedCall]] = {
    Word.ALLOW: (PERMIT_ALL, call()),
    Word.MODIFY: (
        '@id("r") @obligation("redact pointer=/title") permit(principal, action, resource);',
        call(),
    ),
    Word.STEP_UP: (
        '@id("r") @stepup("urn:strong") permit(principal, action, resource);',
        call(subject=WEAK),
    ),
    Word.DEFER: ('@id("r") @approval("team:leads") permit(principal, action, resource);', call()),
    Word.DENY: (PERMIT_ALL + '@id("r") forbid(principal, action, resource);', call()),
}


@pytest.mark.req("N9")
@pytest.mark.parametrize("word", Word)
async def test_each_word_has_a_receipt_that_verifies_offline(
    sqlite_uow: SqlUnitOfWork, tmp_path: Path, word: Word, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, proposed = CASES[word]
    office = await desk(sqlite_uow, policy=policy)
    decision = await office.service.decide(proposed)
    verdict = decision.verdict
    assert word_of(verdict.effect, obliged=bool(verdict.obligations)) is word
    signer = TestSigner()
    await sqlite_uow.commit(lambda tx: tx.ledger.checkpoint(signer, at=NOON))

    def proof(tx: SqlTransaction) -> Receipt:
        found = [each.record for each in tx.ledger.mentioning(decision.id)]
        (record,) = [each for each in found if each.kind == "decision.action.decided"]
        assert word_of_record(record) is word
        receipt = tx.ledger.receipt(record.id)
        assert receipt is not None
        return receipt

    receipt = await sqlite_uow.read(proof)
    file, keys = tmp_path / "decision.receipt", tmp_path / "log.keys"
    file.write_bytes(receipt.text())
    keys.write_text(signer.key.text() + "\n")
    told = ["ledger", "verify", str(file), "--key", str(keys), "-o", "json"]
    assert run(told) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sound"], found["verdict"], found["decision"]) == (True, word, decision.id)
    # One bit of the verdict turned, and nobody believes it.
    file.write_bytes(replace(receipt, entry=turned(receipt.entry)).text())
    assert run(told) == 1
    assert json.loads(capsys.readouterr().out)["sound"] is False


def turned(entry: bytes) -> bytes:
    assert b'"decision.action.decided"' in entry
    return entry.replace(b'"decision.action.decided"', b'"decision.action.decidex"')


@pytest.mark.req("N9")
def test_an_unknown_effect_is_a_no_and_an_unknown_duty_is_refused() -> None:
    assert word_of("maybe", obliged=False) is Word.DENY
    with pytest.raises(obligations.ObligationUnknown):
        obligations.check([Obligation(type="fly")], method="tools/call")
