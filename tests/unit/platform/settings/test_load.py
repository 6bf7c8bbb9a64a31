"""Settings: file < environment < flag; an unknown name is an error with the nearest known one."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.platform.settings.load import BadSetting, SettingsUnreadable, load
from remit.platform.settings.model import Settings
from remit.platform.settings.names import UnknownSetting, names_of
from remit.platform.settings.options import LogFormat
from remit.platform.settings.reference import default_of, render, sentence_of
from remit.platform.settings.units import (
    BadUnit,
    format_bytes,
    format_duration,
    parse_bytes,
    parse_duration,
)


def file_with(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_is_below_environment_and_environment_below_flags(tmp_path: Path) -> None:
    file = file_with(
        tmp_path, 'issuer = "https://a.example"\n[http]\nport = 1\nhost = "::1"\nmax_body = "2MiB"\n'
    )
    found = load(
        file=file,
        environ={"REMIT_HTTP_PORT": "2", "REMIT_HTTP_HOST": "127.0.0.2", "PATH": "/bin"},
        flags={"http.port": 3, "http.host": None},
    )
    assert (found.issuer, found.http.port, found.http.host) == ("https://a.example", 3, "127.0.0.2")
    assert found.http.max_body == 2 << 20


def test_nothing_given_is_the_safe_default() -> None:
    found = load(file=None, environ={"REMIT_DATA": "/nonexistent"})
    assert found == Settings(data=Path("/nonexistent"))
    assert found.issuer_url == "http://127.0.0.1:7480"
    assert not found.listens_publicly


def test_a_default_file_in_the_data_directory_is_read(tmp_path: Path) -> None:
    file_with(tmp_path, "[http]\nport = 9\n")
    assert load(file=None, environ={"REMIT_DATA": str(tmp_path)}).http.port == 9


def test_values_are_read_by_type(tmp_path: Path) -> None:
    file = file_with(tmp_path, '[http]\nbody_timeout = "1500ms"\n[telemetry]\nlog_format = "json"\n')
    found = load(file=file, environ={"REMIT_DEBUG": "true"})
    assert found.http.body_timeout == timedelta(seconds=1.5)
    assert found.telemetry.log_format is LogFormat.JSON
    assert found.debug is True


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ('isuer = "x"', "`isuer`; nearest is `issuer`"),
        ("[http]\nprot = 1", "`http.prot`; nearest is `http.port`"),
        ("[htpp]\nport = 1", "`htpp`; nearest is `http"),
        ("[http.port]\nx = 1", ""),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest(
    tmp_path: Path, text: str, nearest: str
) -> None:
    with pytest.raises((UnknownSetting, BadSetting)) as refused:
        load(file=file_with(tmp_path, text), environ={})
    assert nearest in refused.value.hint


@pytest.mark.fault("F35")
def test_an_unknown_variable_of_ours_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownSetting, match="nearest is `REMIT_TRUST_DOMAIN`"):
        load(file=None, environ={"REMIT_TRUST_DOMIAN": "x"})


def test_variables_of_the_client_are_no_settings() -> None:
    load(file=None, environ={"REMIT_URL": "x", "REMIT_KEY": "y", "REMIT_DATA": "/nonexistent"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REMIT_HTTP_PORT", "7480s", "not a whole number"),
        ("REMIT_HTTP_PORT", "-1", "not a whole number"),
        ("REMIT_HTTP_PORT", "70000", "ceiling is 65535"),
        ("REMIT_HTTP_MAX_BODY", "1048576", "no number with a unit"),
        ("REMIT_HTTP_MAX_BODY", "1GiB", "ceiling is 16777216"),
        ("REMIT_HTTP_BODY_TIMEOUT", "30", "no number with a unit"),
        ("REMIT_DEBUG", "yes", "neither `true` nor `false`"),
        ("REMIT_TELEMETRY_LOG_FORMAT", "xml", "not one of json, console"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(variable: str, value: str, said: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load(file=None, environ={variable: value, "REMIT_DATA": "/nonexistent"})
    assert said in refused.value.hint


def test_a_bare_number_in_the_file_has_no_unit(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"http\.body_timeout"):
        load(file=file_with(tmp_path, "[http]\nbody_timeout = 90"), environ={})


@pytest.mark.parametrize("content", [b"a = = b", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsUnreadable):
        load(file=path, environ={})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsUnreadable):
        load(file=tmp_path / "none.toml", environ={})
    with pytest.raises(SettingsUnreadable):
        load(file=None, environ={"REMIT_CONFIG": str(tmp_path / "none.toml")})


@given(st.integers(min_value=1, max_value=999_999_999).map(lambda ms: timedelta(milliseconds=ms)))
def test_durations_survive_being_written(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


@given(st.integers(min_value=1, max_value=999_999_999))
def test_sizes_survive_being_written(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == count


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    for parse in (parse_duration, parse_bytes):
        with contextlib.suppress(BadUnit):
            parse(text)


def test_every_setting_has_a_sentence_and_a_default_that_reads_back() -> None:
    page = render()
    for name in names_of(Settings):
        assert sentence_of(name).endswith("."), name.dotted
        assert f"| `{name.dotted}` | `{name.variable}` |" in page
        shown = default_of(name)
        if shown not in {"absent", '""'}:
            found = load(file=None, environ={name.variable: shown}, flags={})
            assert found == load(file=None, environ={}, flags={}), name.dotted
