"""Decision receipts: one text that proves one record, offline."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.ledger.checkpoint import verify_checkpoint
from remit.ledger.encoding import decode_record, encode_record
from remit.ledger.merkle import Frontier, inclusion_proof, leaf_hash
from remit.ledger.receipt import ProvenRecord, Receipt, ReceiptRejected, verify_receipt
from support.ledger import TestSigner, note_of, story

SIGNER = TestSigner()
ENTRIES = [encode_record(each) for number in range(5) for each in story(number)]


def receipt(index: int) -> Receipt:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier()
    for entry in ENTRIES:
        nodes.update({(level, place): node for level, place, node in frontier.append(leaf_hash(entry))})
    proof = inclusion_proof(index, len(ENTRIES), lambda level, place: nodes[level, place])
    return Receipt(entry=ENTRIES[index], index=index, proof=tuple(proof), note=note_of(ENTRIES, SIGNER).note)


@pytest.mark.req("R143", "R139")
@pytest.mark.parametrize("index", [0, 3, 28, 29])
def test_a_receipt_proves_its_record_with_the_public_key_alone(index: int) -> None:
    proven = verify_receipt(
        Receipt.parse(receipt(index).text()), keys=[SIGNER.key], origin="remit.example/main"
    )
    assert encode_record(proven.record) == ENTRIES[index]
    assert (proven.index, proven.checkpoint.size) == (index, len(ENTRIES))


@pytest.mark.attack("AU-03", "AU-16")
def test_every_spoilt_byte_of_a_receipt_is_found() -> None:
    text = receipt(3).text()
    # Each byte by one of its bits in turn: the next byte shows another.
    for place in range(len(text)):
        spoilt = bytearray(text)
        spoilt[place] ^= 1 << place % 8
        with pytest.raises(ReceiptRejected):
            verify_receipt(Receipt.parse(bytes(spoilt)), keys=[SIGNER.key], origin="remit.example/main")


@pytest.mark.attack("AU-16")
@pytest.mark.parametrize(
    ("spoil", "step"),
    [
        (lambda good: dataclasses.replace(good, entry=ENTRIES[4]), 3),
        (lambda good: dataclasses.replace(good, index=4), 3),
        (lambda good: dataclasses.replace(good, proof=good.proof[:-1]), 3),
        (lambda good: dataclasses.replace(good, note=note_of(ENTRIES[:20], SIGNER).note), 3),
        (
            lambda good: dataclasses.replace(good, note=note_of(ENTRIES, TestSigner(seed=b"\x03" * 32)).note),
            2,
        ),
    ],
    ids=["record", "index", "proof", "head", "key"],
)
def test_a_receipt_of_something_else_is_refused_at_its_step(spoil: object, step: int) -> None:
    assert callable(spoil)
    with pytest.raises(ReceiptRejected) as refused:
        verify_receipt(spoil(receipt(3)), keys=[SIGNER.key])
    assert refused.value.step == step


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    for text in (data, b"c2sp.org/tlog-proof@v1\n" + data, receipt(0).text()[:60] + data):
        with pytest.raises(ReceiptRejected):
            verify_receipt(Receipt.parse(text), keys=[SIGNER.key])


def verify_without_inclusion(given_receipt: Receipt) -> ProvenRecord:
    """A verifier that takes the signed head for proof of the record."""
    head = verify_checkpoint(given_receipt.note, keys=[SIGNER.key])
    return ProvenRecord(record=decode_record(given_receipt.entry), index=given_receipt.index, checkpoint=head)


@pytest.mark.twin("AU-16")
def test_without_the_inclusion_check_a_forged_record_passes() -> None:
    forged = dataclasses.replace(receipt(3), entry=ENTRIES[3].replace(b"Room-401", b"Room-999"))
    with pytest.raises(ReceiptRejected):
        verify_receipt(forged, keys=[SIGNER.key])
    assert verify_without_inclusion(forged).record.resource == "Room:Room-999"
