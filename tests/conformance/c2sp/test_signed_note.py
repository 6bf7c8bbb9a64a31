"""C2SP signed-note and tlog-checkpoint."""

import base64

import pytest

from remit.ledger.checkpoint import (
    Checkpoint,
    CheckpointRejected,
    LogKey,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from remit.ledger.merkle import EMPTY_ROOT, leaf_hash
from support.ledger import TestSigner

SIGNER = TestSigner()
OTHER = TestSigner("witness.example", seed=b"\x02" * 32)
HEAD = Checkpoint(origin="remit.example/main", size=7, root=leaf_hash(b"x"))
NOTE = sign_checkpoint(HEAD, SIGNER)


def signature_line(signer: TestSigner, body: bytes) -> bytes:
    blob = base64.b64encode(signer.key.id + signer.sign(body)).decode()
    return f"— {signer.key.name} {blob}\n".encode()


@pytest.mark.spec("C2SP signed-note", "signatures")
def test_the_key_and_signature_that_the_format_was_published_with() -> None:
    key = LogKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        b"If you think cryptography is the answer to your problem,\n"
        b"then you don't know what your problem is.\n"
    )
    blob = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert blob[:4] == key.id
    assert key.signed(text, blob[4:])
    assert not key.signed(text[:-1], blob[4:])


def test_what_is_signed_is_read_back() -> None:
    assert (
        verify_checkpoint(NOTE, keys=[SIGNER.key], origin="remit.example/main")
        == HEAD
        == parse_checkpoint(NOTE)
    )
    empty = Checkpoint(origin="o", size=0, root=EMPTY_ROOT)
    assert verify_checkpoint(sign_checkpoint(empty, SIGNER), keys=[SIGNER.key]) == empty


def test_a_key_is_read_back_from_its_line_and_a_wrong_key_id_refused() -> None:
    line = SIGNER.key.text()
    assert LogKey.parse(line) == SIGNER.key
    name, ident, blob = line.split("+", 2)
    with pytest.raises(Exception, match="key ID"):
        LogKey.parse(f"{name}+{int(ident, 16) ^ 1:08x}+{blob}")


@pytest.mark.spec("C2SP signed-note", "verification")
def test_unknown_signatures_are_ignored_and_alone_prove_nothing() -> None:
    both = NOTE + signature_line(OTHER, HEAD.body())
    assert verify_checkpoint(both, keys=[SIGNER.key]) == HEAD
    with pytest.raises(CheckpointRejected, match="no trusted key"):
        verify_checkpoint(NOTE, keys=[OTHER.key])
    with pytest.raises(CheckpointRejected, match="no trusted keys"):
        verify_checkpoint(NOTE, keys=[])


@pytest.mark.spec("C2SP signed-note", "verification")
def test_a_known_key_with_a_bad_signature_spoils_the_note() -> None:
    both = NOTE + signature_line(OTHER, b"another text\n")
    with pytest.raises(CheckpointRejected, match="does not hold"):
        verify_checkpoint(both, keys=[SIGNER.key, OTHER.key])


@pytest.mark.spec("C2SP tlog-checkpoint", "checkpoint")
@pytest.mark.parametrize(
    "body",
    [
        b"remit.example/main\n07\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"remit.example/main\n-7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "remit.example/main\n\u0667\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".encode(),
        b"remit.example/main\n99999999999999999999\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        b"remit.example/main\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextension\n",
        b"remit.example/main\n7\nAAAA\n",
        b"remit.example/main\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        b"remit.example/main\n7\n",
        b"\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    ],
    ids=["zero", "sign", "digits", "huge", "extension", "short", "bits", "two-lines", "no-origin"],
)
def test_a_body_that_is_no_checkpoint_is_refused_even_when_signed(body: bytes) -> None:
    note = body + b"\n" + signature_line(SIGNER, body)
    with pytest.raises(CheckpointRejected):
        verify_checkpoint(note, keys=[SIGNER.key])


@pytest.mark.spec("C2SP signed-note", "format")
@pytest.mark.parametrize(
    "note",
    [
        b"", b"\n\n", HEAD.body(), HEAD.body() + b"\n", NOTE[:-1], NOTE.replace(b"\n\n", b"\n"), NOTE + b"\n",
        NOTE.replace(b"\xe2\x80\x94 ", b"- "), NOTE.replace(b"/main", b"/ma\x00in"),
        b"\xff" + NOTE, NOTE + b"x" * 20_000,
        NOTE + signature_line(OTHER, b"x\n") * 120, NOTE.replace(b"=\n", b"\n"),
    ],
)  # fmt: skip
def test_malformed_notes_are_refused(note: bytes) -> None:
    with pytest.raises(CheckpointRejected):
        verify_checkpoint(note, keys=[SIGNER.key])


def test_every_flipped_bit_of_a_note_is_found() -> None:
    for place in range(len(NOTE) * 8):
        spoilt = bytearray(NOTE)
        spoilt[place // 8] ^= 1 << place % 8
        with pytest.raises(CheckpointRejected):
            verify_checkpoint(bytes(spoilt), keys=[SIGNER.key], origin="remit.example/main")


def test_another_log_of_the_same_key_is_told_apart() -> None:
    with pytest.raises(CheckpointRejected, match="not of"):
        verify_checkpoint(NOTE, keys=[SIGNER.key], origin="remit.example/kill")
