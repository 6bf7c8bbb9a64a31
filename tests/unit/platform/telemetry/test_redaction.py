"""No secret passes the last door, wherever it hides (P14); ids, codes and digests do."""

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.canonical import b64u
from remit.kernel.ids import mint_id
from remit.kernel.jose import jwt
from remit.kernel.jose.profiles import TokenType
from remit.kernel.secret import Secret
from remit.platform.settings.options import LogFormat, LogLevel, TelemetryOptions
from remit.platform.telemetry.logging import configure_logging
from remit.platform.telemetry.redaction import MASK, redact, redact_text
from support.clock import NOON
from support.jose import claims_of, entropy_of, key_class_of, party

TOKEN = jwt.issue(
    claims_of(TokenType.ACCESS_TOKEN),
    as_type=TokenType.ACCESS_TOKEN,
    signer=party(key_class_of(TokenType.ACCESS_TOKEN)).signer,
)
CANARIES = [
    TOKEN,
    f"{TOKEN}~{TOKEN}",
    f"Bearer {'a' * 20}",
    "DPoP abcdefghijklmnop",
    "Basic dXNlcjpwYXNzd29yZA==",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1\n-----END PRIVATE KEY-----",
    '{"kty":"OKP","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
    "ghp_abcdefghijklmnopqrstuvwx0123456789",
    "password=hunter2secret",
    "api_key: 0123456789abcdef",
    b64u(bytes(range(40))),
]


@pytest.fixture
def lines() -> io.StringIO:
    """Everything that this process logs, as JSON lines."""
    stream = io.StringIO()
    configure_logging(TelemetryOptions(log_format=LogFormat.JSON, log_level=LogLevel.DEBUG), stream=stream)
    return stream


@pytest.mark.promise("P14")
@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_leaves_by_any_way_into_a_log(lines: io.StringIO, canary: str) -> None:
    log = structlog.stdlib.get_logger("remit.test")
    log.info(
        "a.b.tried", note=canary, deep={"list": [{"x": f"before {canary} after"}]}, bytes=canary.encode()
    )
    log.info(canary)
    logging.getLogger("third.party").warning("message %s", canary)
    logging.getLogger("third.party").warning("message", extra={"note": canary})
    try:
        int(canary)
    except ValueError:
        log.exception("a.b.failed")
        logging.getLogger("third.party").exception("failed")
    written = lines.getvalue()
    assert canary not in written
    assert all(canary not in str(json.loads(line)) for line in written.splitlines())
    assert MASK in written
    assert len(written.splitlines()) == 6


def test_a_library_that_says_whole_assertions_is_not_let(lines: io.StringIO) -> None:
    logging.getLogger("signxml.processor").debug("Canonicalized string: %s", "<saml:Assertion>")
    assert lines.getvalue() == ""


def test_without_the_redacting_step_the_canary_is_there(lines: io.StringIO) -> None:
    without = [
        each
        for each in structlog.get_config()["processors"]
        if getattr(each, "__name__", "") != "redact_line"
    ]
    structlog.configure(processors=without)
    structlog.stdlib.get_logger("remit.test").info("a.b.tried", note=TOKEN)
    assert TOKEN in lines.getvalue()


@pytest.mark.parametrize(
    "name", ["authorization", "DPoP", "client_assertion", "password", "arguments", "goal"]
)
def test_values_of_secret_names_are_masked_whatever_they_look_like(name: str) -> None:
    assert redact({name: "x"}) == {name: MASK}
    assert redact("x", name=name) == MASK


def test_what_a_reader_needs_passes() -> None:
    ident = mint_id("dec", at=NOON, entropy=entropy_of(1))
    for harmless in (
        ident,
        "a" * 64,
        "authority.token.issued",
        "2026-05-15T12:00:00Z",
        "/api/v1/agents/{agent}",
    ):
        assert redact_text(f"see {harmless} there") == f"see {harmless} there"
    assert redact({"code": "token_rejected", "n": 3, "ok": True, "none": None}) == {
        "code": "token_rejected",
        "n": 3,
        "ok": True,
        "none": None,
    }


def test_secrets_and_bytes_show_nothing() -> None:
    assert redact(Secret(b"x")) == MASK
    assert redact(b"12345") == "5 bytes"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in redact_text(text))


@pytest.mark.attack("DS-14")
def test_lines_are_bounded_in_length_depth_and_count() -> None:
    deep: object = "x"
    for _ in range(100):
        deep = [deep]
    assert len(str(redact(deep))) < 100
    assert len(redact_text("word " * 100_000)) < 2200
    assert len(str(redact({str(n): n for n in range(10_000)}))) < 2000


def test_masking_is_quick_on_hostile_text() -> None:
    for hostile in (
        "A" * 100_000,
        "eyJ" * 30_000,
        "-----BEGIN " * 9_000,
        "password " * 10_000,
        '"d":"' * 20_000,
    ):
        redact_text(hostile)


def test_lines_carry_what_was_bound_to_the_request(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request="req_1", decision="dec_1"):
        structlog.stdlib.get_logger("remit.test").info("a.b.done")
    line = json.loads(lines.getvalue())
    assert (line["request"], line["decision"], line["event"]) == ("req_1", "dec_1", "a.b.done")
