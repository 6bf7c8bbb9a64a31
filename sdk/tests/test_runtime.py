"""Which proof is taken where, and what is refused before anything is sent."""

import json
from pathlib import Path

import pytest

from remit_sdk import NoProof
from remit_sdk.keys import Key, b64u, read_key
from remit_sdk.runtime import KeyFile, Vouched, find

HERE = "https://remit.example"


def key_file(folder: Path, *, mode: int = 0o600, algorithm: str = "Ed25519", raw: bytes = b"k" * 32) -> Path:
    path = folder / "agent.key"
    stored = {"user": "ins_1", "kid": "key_1", "algorithm": algorithm, "private": b64u(raw)}
    path.write_text(json.dumps(stored))
    path.chmod(mode)
    return path


def look(folder: Path, **environ: str) -> KeyFile | Vouched:
    return find(environ, audience=HERE, projected=folder / "none")


def test_the_first_proof_that_is_there_is_taken(tmp_path: Path) -> None:
    every = {
        "REMIT_KEY": str(key_file(tmp_path)),
        "REMIT_SVID_FILE": str(tmp_path / "svid"),
        "REMIT_ASSERTION_FILE": str(tmp_path / "token"),
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.example",
        "REMIT_ID_TOKEN": "a.b.c",
    }
    found = []
    while every:
        proof = look(tmp_path, **every)
        found.append("key" if isinstance(proof, KeyFile) else proof.name)
        every.pop(next(iter(every)))
    assert found == ["key", "spiffe", "kubernetes", "github-actions", "gitlab"]


def test_a_key_that_is_named_and_not_there_yet_is_no_proof(tmp_path: Path) -> None:
    proof = look(tmp_path, REMIT_KEY=str(tmp_path / "absent.key"), REMIT_ID_TOKEN="a.b.c")
    assert isinstance(proof, Vouched)
    assert proof.fetch() == "a.b.c"


def test_a_projected_token_is_read_anew_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    proof = find({}, audience=HERE, projected=token)
    assert isinstance(proof, Vouched)
    assert proof.fetch() == "first"
    token.write_text("second\n")
    assert proof.fetch() == "second"
    token.write_text("")
    with pytest.raises(NoProof, match="is empty"):
        proof.fetch()


def test_nothing_at_all_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoProof) as refused:
        look(tmp_path)
    assert "remit agent init" in str(refused.value)
    assert "REMIT_ID_TOKEN" in str(refused.value)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoProof, match="chmod 600"):
        read_key(key_file(tmp_path, mode=0o644))
    with pytest.raises(NoProof, match="cannot be read"):
        read_key(key_file(tmp_path, algorithm="HS256"))
    assert read_key(key_file(tmp_path)).instance == "ins_1"


def test_a_key_is_not_told_by_what_shows_it() -> None:
    assert repr(Key.make()) == "Key(...)"
