"""The operator's two files: whole or absent, the key readable by its owner alone."""

from pathlib import Path

import pytest

from remit.kernel.ids import KeyId, UserId
from remit.kernel.secret import Secret
from remit.platform.settings.operator import (
    NoOperatorKey,
    NoServerFile,
    OperatorFileBroken,
    OperatorKey,
    ServerAddress,
    read_operator,
    read_server,
    write_operator,
    write_server,
)

KEY = OperatorKey(
    user=UserId("usr_1"), kid=KeyId("key_1"), algorithm="Ed25519", private=Secret(bytes(range(32)))
)


def test_a_key_reads_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "operator.key"
    write_operator(path, KEY)
    write_operator(path, KEY)
    found = read_operator(path)
    assert (found.user, found.kid, found.private.reveal()) == ("usr_1", "key_1", bytes(range(32)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["operator.key"]
    assert "Secret" in repr(found)


def test_a_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "operator.key"
    write_operator(path, KEY)
    path.chmod(0o644)
    with pytest.raises(OperatorFileBroken) as refused:
        read_operator(path)
    assert "chmod 600" in refused.value.next_step


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"user":1}', b"\xff"])
def test_a_broken_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operator.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorFileBroken):
        read_operator(path)


def test_what_is_absent_is_told_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(NoOperatorKey) as no_key:
        read_operator(tmp_path / "operator.key")
    with pytest.raises(NoServerFile) as no_server:
        read_server(tmp_path)
    assert "remit up" in no_key.value.next_step
    assert no_server.value.next_step == "remit up"


def test_the_server_says_where_it_is(tmp_path: Path) -> None:
    here = ServerAddress(url="http://127.0.0.1:1", issuer="https://r.example", pid=7)
    write_server(tmp_path, here)
    assert read_server(tmp_path) == here
