"""Files for `remit apply`: TOML or JSON, every member known, no YAML (DS-13)."""

from pathlib import Path

import pytest

from remit.surface.cli.desired import Desired, WantedUser, read_desired
from remit.surface.cli.failures import Misused


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    wanted = Desired(users=[WantedUser(name="user@company.com", roles=["reader"])])
    toml = written(tmp_path, "a.toml", b'[[users]]\nname = "user@company.com"\nroles = ["reader"]\n')
    json = written(tmp_path, "a.json", b'{"users":[{"name":"user@company.com","roles":["reader"]}]}')
    assert read_desired(toml) == read_desired(json) == wanted


@pytest.mark.attack("DS-13")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", b"a: &a [x]\nb: [*a, *a]", "neither `.toml` nor `.json`"),
        ("a.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "neither `.toml` nor `.json`"),
        ("a.toml", b"users = [[", "neither TOML nor JSON"),
        ("a.toml", b"\xff", "neither TOML nor JSON"),
        ("a.toml", b"agnets = []", "unknown field"),
        ("a.toml", b'[[users]]\nname = "x"\nrole = "admin"', "unknown field"),
        ("a.toml", b"users = 1", "expected `array`"),
        ("a.toml", b"# " + b"x" * (1 << 20), "the limit is 1048576"),
        ("a.json", b'{"users":[],"users":[]}', "twice"),
        ("a.json", b"[" * 10_000, "nests deeper"),
        ("a.json", b'"' + b"x" * (2 << 20) + b'"', "the limit is 1048576"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(Misused) as refused:
        read_desired(written(tmp_path, name, content))
    assert said in refused.value.hint
    assert refused.value.next_step
