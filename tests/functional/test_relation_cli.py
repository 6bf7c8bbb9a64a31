"""Relations from the command line, against a real server: model, tuples, questions, lists, import."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Installation, installation

MODEL = """model
  schema 1.1
type user
type team
  relations
    define member: [user]
type order
  relations
    define owner: [user]
    define viewer: [team#member] or owner
"""
STORE = """name: orders
model: |
{model}
tuples:
  - {{user: "user:ana", relation: owner, object: "order:8812"}}
  - {{user: "team:leads#member", relation: viewer, object: "order:8812"}}
  - {{user: "user:ben", relation: member, object: "team:leads"}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path) as made:
        yield made


@pytest.mark.req("R49", "R113")
def test_a_store_is_taken_over_and_asked(shop: Installation, tmp_path: Path) -> None:
    file = tmp_path / "orders.fga.yaml"
    file.write_text(STORE.format(model="\n".join(f"  {line}" for line in MODEL.splitlines())))
    lost = shop.remit("relation", "check", "user:ana", "viewer", "order:8812")
    assert lost.code == 1
    assert "decisions look into no store" in lost.err
    store = shop.remit("relation", "new", "orders", "-o", "json").json()["id"]
    assert shop.remit("relation", "enforce", store).code == 0
    for written in (3, 0):
        found = shop.remit("relation", "import", str(file))
        assert (found.code, found.out.splitlines()[0]) == (
            0,
            f"3 tuples read, {written} written, model in use",
        )
    yes = shop.remit("relation", "check", "user:ana", "viewer", "order:8812")
    assert (yes.code, yes.out) == (0, "yes: user:ana —owner→ order:8812 —implies→ viewer\n")
    no = shop.remit("relation", "check", "user:ben", "owner", "order:8812")
    assert (no.code, no.out) == (3, "no: user:ben is not owner of order:8812\n")
    who = shop.remit("relation", "who-can", "viewer", "order:8812")
    assert who.out.split() == ["user:ana", "user:ben"]
    what = shop.remit("relation", "what-can", "user:ben", "viewer", "order")
    assert what.out.split() == ["order:8812"]
    shown = shop.remit("relation", "model")
    assert "define viewer: [team#member] or owner" in shown.out
    assert (
        shop.remit(
            "relation", "write", "order:1#owner@user:ben", "--delete", "team:leads#member@user:ben"
        ).code
        == 0
    )
    assert shop.remit("relation", "what-can", "user:ben", "viewer", "order").out.split() == ["order:1"]
    first = shop.remit(
        "relation", "what-can", "user:ana", "viewer", "order", "--limit", "1", "-o", "json"
    ).json()
    assert first == {"items": ["order:8812"], "complete": True, "next": "", "why": ""}


def test_what_is_wrong_is_said_with_its_place(shop: Installation, tmp_path: Path) -> None:
    store = shop.remit("relation", "new", "orders", "-o", "json").json()["id"]
    file = tmp_path / "broken.fga"
    file.write_text(MODEL.replace("or owner", "or ownr"))
    refused = shop.remit("relation", "model", str(file), "--store", store)
    assert refused.code == 1
    assert "line 10" in refused.err
    assert "did you mean `owner`" in refused.err
    assert shop.remit("relation", "write", "order 8812", "--store", store).code == 2
    missing = shop.remit("relation", "model", "--store", store)
    assert (missing.code, "has no authorization model" in missing.err) == (1, True)
