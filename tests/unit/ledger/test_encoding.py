"""One record, one encoding."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.ledger.encoding import (
    MAX_ENTRY_SIZE,
    EntryTooLarge,
    MalformedEntry,
    content_digest,
    decode_record,
    encode_record,
)
from remit.ledger.export import MalformedExport, read_export
from remit.ledger.record import Record
from support.ledger import record, story

TEXT = st.text(st.characters(codec="utf-8"))


@given(
    at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001
    resource=TEXT,
    chain=st.lists(TEXT).map(tuple),
    detail=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
    revision=st.integers(0, (1 << 63) - 1),
)
@pytest.mark.attack("AU-08")
def test_what_is_written_is_read_back_on_one_line(
    at: datetime, resource: str, chain: tuple[str, ...], detail: tuple[tuple[str, str], ...], revision: int
) -> None:
    written = record(1, at=at, resource=resource, chain=chain, detail=detail, revision=revision)
    entry = encode_record(written)
    assert b"\n" not in entry
    assert b"\r" not in entry
    assert b"\x00" not in entry
    assert b"\x1b" not in entry
    assert decode_record(entry) == written
    assert encode_record(decode_record(entry)) == entry


@pytest.mark.attack("AU-08")
def test_json_in_a_value_does_not_break_out() -> None:
    hostile = record(1, resource='x","effect":"permit","y":"')
    assert decode_record(encode_record(hostile)).effect == ""
    assert json.loads(encode_record(hostile))["resource"] == hostile.resource


def test_members_at_their_default_are_left_out_so_that_new_ones_change_no_leaf() -> None:
    entry = json.loads(encode_record(record(1)))
    assert set(entry) == {"id", "at", "tenant", "kind", "actor"}


ENTRY = encode_record(story()[3])


@pytest.mark.parametrize(
    "spoilt",
    [
        b"", b"{}", b"null", ENTRY[:-1], ENTRY + b" ", b" " + ENTRY, ENTRY.replace(b'":"', b'": "', 1),
        ENTRY[:-1] + b',"unknown":"x"}', ENTRY[:-1] + b',"effect":"deny"}', ENTRY[:-1] + b',"grant":""}',
        ENTRY.replace(b"Z", b"+00:00", 1), ENTRY.replace(b"rooms.book", b"rooms\\u002ebook"), b"\xff" + ENTRY,
        b"[" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.attack("AU-08")
def test_any_other_form_is_refused(spoilt: bytes) -> None:
    with pytest.raises(MalformedEntry):
        decode_record(spoilt)


def test_the_limit_is_65535_bytes() -> None:
    room = MAX_ENTRY_SIZE - len(encode_record(record(1, resource="x"))) + 1
    assert len(encode_record(record(1, resource="x" * room))) == MAX_ENTRY_SIZE
    with pytest.raises(EntryTooLarge, match="65536"):
        encode_record(record(1, resource="x" * (room + 1)))


@pytest.mark.parametrize(
    "bad",
    [
        record(1, resource="\ud800"),
        record(1, at=datetime(2026, 1, 1)),  # noqa: DTZ001  # what is refused
        record(1, at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))),
    ],
    ids=["surrogate", "naive", "offset"],
)
def test_what_no_reader_could_read_is_refused(bad: Record) -> None:
    with pytest.raises(MalformedEntry):
        encode_record(bad)


@pytest.mark.attack("AU-09")
def test_a_digest_of_a_short_text_differs_by_salt() -> None:
    assert content_digest(b"\x00" * 16, "yes") != content_digest(b"\x01" * 16, "yes")


@given(
    st.dictionaries(
        st.sampled_from(["manifest.json", "checkpoint", "entries.jsonl", "leaves", "x"]), st.binary()
    )
)
def test_any_files_are_read_or_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(MalformedExport):
        read_export(files)
