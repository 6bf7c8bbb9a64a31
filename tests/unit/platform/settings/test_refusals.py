"""What the process refuses to start on, each with one sentence and a fix (security 5, F35)."""

from dataclasses import replace
from pathlib import Path

import pytest

from remit.platform.settings.model import Settings
from remit.platform.settings.options import HttpOptions, KeyOptions, StoreOptions
from remit.platform.settings.refusals import LocalDisk, StartRefused, refusals, refuse_unsafe

GOOD_KEY = bytes(range(32))


class Disk:
    """Files in memory: path → (mode, content); a directory is the set of its files' parents."""

    def __init__(self, files: dict[str, tuple[int, bytes]]) -> None:
        self.files = files

    def mode(self, path: Path) -> int | None:
        return self.files[str(path)][0] if str(path) in self.files else None

    def head(self, path: Path, size: int) -> bytes:
        return self.files[str(path)][1][:size]

    def names(self, path: Path) -> list[str]:
        return [Path(name).name for name in self.files if Path(name).parent == path]


SAFE = Settings(data=Path("/d"))
FILES = {"/d": (0o700, b""), "/d/kek": (0o600, GOOD_KEY), "/d/remit.db": (0o600, b"")}


def codes(settings: Settings, files: dict[str, tuple[int, bytes]] | None = None) -> set[str]:
    return {each.code for each in refusals(settings, Disk(FILES if files is None else files))}


def at(host: str, issuer: str = "") -> Settings:
    return replace(SAFE, http=HttpOptions(host=host), issuer=issuer)


def test_a_safe_start_is_not_refused() -> None:
    assert codes(SAFE) == set()
    assert codes(at("0.0.0.0", "https://remit.example.com")) == set()
    assert codes(at("::1")) == set()


def test_a_fresh_embedded_installation_may_make_its_own_key() -> None:
    assert codes(SAFE, {}) == set()
    assert codes(SAFE, {"/d": (0o700, b"")}) == set()


@pytest.mark.fault("F35")
@pytest.mark.parametrize(
    ("code", "settings", "files"),
    [
        ("issuer_missing", at("0.0.0.0"), FILES),
        ("issuer_missing", at("10.1.2.3"), FILES),
        ("issuer_not_https", at("127.0.0.1", "http://remit.example.com"), FILES),
        ("plain_http_public", at("0.0.0.0", "http://localhost:7480"), FILES),
        ("issuer_malformed", at("127.0.0.1", "https://remit.example.com/"), FILES),
        ("issuer_malformed", at("127.0.0.1", "https://remit.example.com?x"), FILES),
        ("issuer_malformed", at("127.0.0.1", "https://remit.example.com#x"), FILES),
        ("issuer_malformed", at("127.0.0.1", "https://u@remit.example.com"), FILES),
        ("issuer_malformed", at("127.0.0.1", "ftp://remit.example.com"), FILES),
        ("issuer_malformed", at("127.0.0.1", "https://h:notaport"), FILES),
        ("issuer_malformed", at("127.0.0.1", "remit.example.com"), FILES),
        ("trust_domain_malformed", replace(SAFE, trust_domain=""), FILES),
        ("trust_domain_malformed", replace(SAFE, trust_domain="Remit.Local"), FILES),
        ("trust_domain_malformed", replace(SAFE, trust_domain="a/b"), FILES),
        ("kek_missing", SAFE, {"/d/remit.db": (0o600, b"")}),
        ("kek_missing", replace(SAFE, store=StoreOptions(url="postgresql://h/d")), {}),
        ("kek_missing", replace(SAFE, keys=KeyOptions(kek_file=Path("/k"))), {}),
        ("kek_exposed", SAFE, {**FILES, "/d/kek": (0o640, GOOD_KEY)}),
        ("kek_exposed", SAFE, {**FILES, "/d/kek": (0o604, GOOD_KEY)}),
        ("kek_weak", SAFE, {**FILES, "/d/kek": (0o600, b"changeme")}),
        ("kek_weak", SAFE, {**FILES, "/d/kek": (0o600, b"\x00" * 32)}),
        ("debug_public", replace(at("0.0.0.0", "https://remit.example.com"), debug=True), FILES),
        ("demo_public", replace(at("0.0.0.0", "https://remit.example.com"), demo=True), FILES),
        ("data_exposed", SAFE, {**FILES, "/d": (0o755, b"")}),
        ("data_exposed", SAFE, {**FILES, "/d/operator.key": (0o644, b"")}),
    ],
)
def test_an_unsafe_start_is_refused(
    code: str, settings: Settings, files: dict[str, tuple[int, bytes]]
) -> None:
    found = [each for each in refusals(settings, Disk(files)) if each.code == code]
    assert found, codes(settings, files)
    assert found[0].sentence
    assert found[0].sentence[0].islower() or found[0].sentence[0] == "`"
    assert found[0].fix


def test_all_reasons_are_told_at_once(tmp_path: Path) -> None:
    unsafe = replace(SAFE, data=tmp_path / "none", http=HttpOptions(host="0.0.0.0"), debug=True)
    with pytest.raises(StartRefused) as refused:
        refuse_unsafe(unsafe, LocalDisk())
    assert "issuer_missing" in refused.value.hint
    assert "debug_public" in refused.value.hint
    assert refused.value.hint.count("fix:") == 2
    assert refused.value.next_step


@pytest.mark.attack("KM-03")
def test_the_real_disk_sees_a_key_that_others_can_read(tmp_path: Path) -> None:
    kek = tmp_path / "kek"
    kek.write_bytes(GOOD_KEY)
    kek.chmod(0o644)
    tmp_path.chmod(0o700)
    settings = replace(SAFE, data=tmp_path)
    assert {each.code for each in refusals(settings, LocalDisk())} == {"kek_exposed"}
    kek.chmod(0o600)
    assert not list(refusals(settings, LocalDisk()))


@pytest.mark.twin("KM-03")
def test_a_disk_that_hides_modes_would_let_it_start(tmp_path: Path) -> None:
    class Blind(LocalDisk):
        def mode(self, path: Path) -> int | None:
            found = super().mode(path)
            return None if found is None else found & 0o700

    kek = tmp_path / "kek"
    kek.write_bytes(GOOD_KEY)
    kek.chmod(0o644)
    assert not list(refusals(replace(SAFE, data=tmp_path), Blind()))
