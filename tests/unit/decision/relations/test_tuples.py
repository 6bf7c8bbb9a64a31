"""Tuples: which texts are objects, users and relations, and that ids are compared as written."""

import pytest

from remit.decision.relations.errors import FgaCode, TupleInvalid
from remit.decision.relations.tuples import (
    RelationTuple,
    is_object,
    is_relation,
    is_user,
    is_userset,
    malformed,
    parse_tuple,
    split_user,
)


def test_a_tuple_reads_back_as_it_was_written() -> None:
    text = "order:8812#owner@user:ana"
    assert str(parse_tuple(text)) == text
    assert parse_tuple("doc:1#viewer@group:eng#member").key == ("doc:1", "viewer", "group:eng#member")


MALFORMED = (
    "order:8812",
    "order:8812#owner",
    "order:8812@user:ana",
    "order#owner@user:ana",
    "order:*#owner@user:ana",
    "o:1#own er@user:ana",
    "o:1#owner@ana",
    "o:1#owner@",
    "o:1:2#owner@user:ana",
    "o:1#owner@user:a\x07na",
)


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_tuple_is_refused_with_openfgas_code(text: str) -> None:
    with pytest.raises(TupleInvalid) as refused:
        parse_tuple(text)
    assert refused.value.fga is FgaCode.INVALID_TUPLE
    assert refused.value.fga.status == 400


def test_the_forms_of_users() -> None:
    assert split_user("group:eng#member") == ("group", "eng", "member")
    assert split_user("user:*").wildcard
    assert not split_user("user:ana").wildcard
    assert is_user("user:*")
    assert is_object("user:a@b.example")
    assert not is_userset("group:*#member")
    assert not is_user("ana")
    assert not is_relation("a" * 51)
    assert is_relation("a" * 50)


def test_limits_are_in_bytes() -> None:
    at_limit = RelationTuple(user="user:ana", relation="owner", object="o:" + "ä" * 127)
    assert malformed(at_limit) == ""
    assert "256 bytes" in malformed(RelationTuple(user="user:ana", relation="owner", object="o:" + "ä" * 128))


def test_two_spellings_of_one_letter_are_two_ids() -> None:
    composed, decomposed = "user:jos\u00e9", "user:jose\u0301"
    one = RelationTuple(user=composed, relation="owner", object="o:1")
    assert one.key != RelationTuple(user=decomposed, relation="owner", object="o:1").key
    assert one.key != RelationTuple(user=composed.upper(), relation="owner", object="o:1").key
