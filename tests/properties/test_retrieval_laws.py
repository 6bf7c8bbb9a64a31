"""Before the search and after it: the condition is what the filter gives, in every translation (R131)."""

import os
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map

from remit.authority.rights import Constraint, Right
from remit.decision.answer.condition import IdIn, Not, TagIs, TagLike, meets
from remit.decision.call.request import ProposedCall, Resource
from remit.decision.documents.prefilter import prefilter
from remit.decision.documents.sieve import SWIFT
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.sources.source import LEAVING
from remit.decision.stages.pipeline import STEPS, judge, permitted
from remit.enforcement.retrieval.metadata import IDENT, metadata
from remit.enforcement.retrieval.sql import where
from remit.identity.tools import DocumentMapping, Related, RelationMapping
from support.decisions import SERVER, TASK, call, ceiling, grant, office
from support.relations import graph_of

ACTION = "business/documents.retrieve"
NAMES, VALUES, IDS = ("a", "b", "dataset"), ("x", "y", "xy", "X", ""), ("d1", "d2", "d3")
EXAMPLES = 1_000 if os.environ.get("REMIT_LONG") else 120

texts = st.sampled_from(VALUES)
names = st.sampled_from(NAMES)
tags = st.dictionaries(names, texts).map(lambda found: tuple(sorted(found.items())))
documents = st.lists(st.tuples(st.sampled_from(IDS), tags), min_size=1, max_size=6)


def quoted(text: str) -> str:
    return f'"{text}"'


atoms = st.one_of(
    st.builds(lambda name: f"resource.hasTag({quoted(name)})", names),
    st.builds(lambda name, text: f"resource.getTag({quoted(name)}) == {quoted(text)}", names, texts),
    st.builds(lambda name, text: f"{quoted(text)} != resource.getTag({quoted(name)})", names, texts),
    st.builds(
        lambda name, some: f"[{', '.join(map(quoted, some))}].contains(resource.getTag({quoted(name)}))",
        names,
        st.lists(texts, min_size=1, max_size=3),
    ),
    st.builds(
        lambda name, text: f"resource.getTag({quoted(name)}) like {quoted(text)}",
        names,
        st.sampled_from(("x*", "*y", "x*y", "*", "xy", "*x*", "x*y*x")),
    ),
    st.builds(lambda ident: f'resource == Remit::Document::"{ident}"', st.sampled_from(IDS)),
    st.builds(lambda ident: f'resource in Remit::Document::"{ident}"', st.sampled_from(IDS)),
    st.builds(lambda ident: f'context.resource.id == "{ident}"', st.sampled_from(IDS)),
    st.just("resource is Remit::Document"),
    st.sampled_from(("context has user", "context.depth > 3", 'context.purpose == "booking"')),
    st.just('context.lineage.labels.contains("a=x")'),
    st.just('resource.getTag("a") == resource.getTag("b")'),
    st.just('resource.getTag(context.purpose) == "x"'),
)
guards = st.builds(
    lambda name, text: (
        f"(resource.hasTag({quoted(name)}) && resource.getTag({quoted(name)}) == {quoted(text)})"
    ),
    names,
    texts,
)
conditions = st.recursive(
    st.one_of(atoms, guards, guards),
    lambda inner: st.one_of(
        st.builds(lambda one, other: f"({one} && {other})", inner, inner),
        st.builds(lambda one, other: f"({one} || {other})", inner, inner),
        st.builds(lambda one: f"(!({one}))", inner),
        st.builds(lambda one, two, three: f"(if {one} then {two} else {three})", inner, inner, inner),
    ),
    max_leaves=5,
)
scopes = st.sampled_from(("resource", 'resource == Remit::Document::"d1"', "resource is Remit::Document"))
notes = st.sampled_from(
    ("", "", "", '@approval("owner")', '@obligation("no_export")', '@obligation("redact pointer=/x")')
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    found = []
    for number in range(draw(st.integers(1, 4))):
        effect = draw(st.sampled_from(("permit", "permit", "forbid")))
        note = draw(notes) if effect == "permit" else ""
        who = draw(st.sampled_from(("principal", "principal", "principal is Remit::Human")))
        clause = draw(st.sampled_from(("when", "when", "unless")))
        found.append(
            f'@id("r{number}") {note} {effect} ({who}, action == Remit::Action::"{ACTION}", {draw(scopes)}) '
            f"{clause} {{ {draw(conditions)} }};"
        )
    return "\n".join(found)


rights = st.lists(
    st.builds(
        lambda ids, sets: Right(
            action=ACTION,
            resource_type="Document",
            resources=ids or "any",
            constraints=(Constraint(pointer="/dataset", one_of=sets),) if sets else (),
        ),
        st.frozensets(st.sampled_from(IDS), max_size=2),
        st.frozensets(texts, max_size=2),
    ),
    min_size=1,
    max_size=2,
)

OFFICE = office("")
SHARED = """
model
  schema 1.1
type user
type document
  relations
    define reader: [user]
"""


def world(policy: str, limit: list[Right], shared: frozenset[str] | None) -> Snapshot:
    everything = ceiling(Right(action=ACTION, resource_type="Document", resources="any"))
    whole = ceiling(*limit) if limit else everything
    # Not validated: what the schema would refuse must not slip through either.
    base = replace(OFFICE, bundle=compile_bundle(policy, version=version_of(policy, 1)))
    server = base.servers[SERVER]
    if shared is not None:
        wanted = RelationMapping(relation="reader", whom=Related.USER, type="document")
        server = replace(server, documents=DocumentMapping(relation=wanted))
        tuples = [f"document:{ident}#reader@user:ada" for ident in sorted(shared)]
        base = replace(base, relations=graph_of(SHARED, *tuples))
    return replace(
        base,
        servers=base.servers.set(SERVER, server),
        tasks=base.tasks.set(TASK, replace(base.tasks[TASK], ceiling=whole)),
        grants=base.grants.set(grant().id, grant(ceiling=everything)),
        ceilings=Map(dict.fromkeys(base.ceilings, everything)),
    )


def reading(ident: str, tags: tuple[tuple[str, str], ...]) -> ProposedCall:
    dataset = dict(tags).get("dataset")
    return replace(
        call(),
        method="documents.retrieve",
        action=ACTION,
        resource=Resource(type="Document", id=ident, tags=tags),
        tool=None,
        arguments={} if dataset is None else {"dataset": dataset},
        consequential=False,
    )


def given_after(snapshot: Snapshot, ident: str, tags: tuple[tuple[str, str], ...]) -> bool:
    """What the sieve finds of one document, stage by stage."""
    request = assemble(reading(ident, tags), snapshot)
    assert not isinstance(request, Unassembled)
    found = judge(request, snapshot, steps=SWIFT, thorough=True)
    whole = judge(request, snapshot, steps=STEPS, thorough=True)
    assert [(each.stage, each.effect) for each in found] == [(each.stage, each.effect) for each in whole]
    duties = {duty.type for each in found for duty in each.obligations}
    return permitted(found) and duties <= LEAVING


@pytest.mark.req("R131")
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    policy=rules(),
    limit=rights,
    shared=st.one_of(st.none(), st.frozensets(st.sampled_from(IDS))),
    papers=documents,
)
def test_before_is_after(
    policy: str, limit: list[Right], shared: frozenset[str] | None, papers: list[tuple[str, Any]]
) -> None:
    snapshot = world(policy, limit, shared)
    found = prefilter(reading("", ()), snapshot, None)
    sql, filtered = where(found.condition), metadata(found.condition)
    searched = rows(sql.text, sql.parameters, papers)
    for place, (ident, tagged) in enumerate(papers):
        after, before = given_after(snapshot, ident, tagged), meets(found.condition, ident, dict(tagged))
        assert not after or before, "a condition leaves out nothing that is given"
        assert not found.exact or after is before
        assert not before or place in searched
        assert not sql.exact or (place in searched) is before
        chosen = filtered.filter is not None and matches(filtered.filter, ident, dict(tagged))
        assert not before or chosen
        assert not filtered.exact or chosen is before


def rows(text: str, parameters: dict[str, str], papers: list[tuple[str, Any]]) -> set[int]:
    """Places of the documents that a database finds."""
    with sqlite3.connect(":memory:") as store:
        store.execute("CREATE TABLE document (place INTEGER, id TEXT)")
        store.execute("CREATE TABLE document_tag (document TEXT, name TEXT, value TEXT)")
        found: set[int] = set()
        for place, (ident, tagged) in enumerate(papers):
            store.execute("DELETE FROM document")
            store.execute("DELETE FROM document_tag")
            store.execute("INSERT INTO document VALUES (?, ?)", (place, ident))
            store.executemany(
                "INSERT INTO document_tag VALUES (?, ?, ?)", [(ident, *each) for each in tagged]
            )
            asked = f"SELECT place FROM document WHERE {text}"  # noqa: S608 — what is tested
            found |= {row[0] for row in store.execute(asked, parameters)}
    return found


def matches(wanted: dict[str, Any], ident: str, tagged: dict[str, str]) -> bool:
    """A filter on metadata as the stores define it."""
    whole = {**tagged, IDENT: ident}
    for name, said in wanted.items():
        if name in {"$and", "$or"}:
            parts = [matches(each, ident, tagged) for each in said]
            if not (all(parts) if name == "$and" else any(parts)):
                return False
            continue
        ((sign, value),) = said.items()
        there = name in whole
        held = {
            "$eq": there and whole.get(name) == value,
            "$ne": there and whole.get(name) != value,
            "$exists": there is value,
            "$in": there and value.__class__ is list and whole.get(name) in value,
            "$nin": there and value.__class__ is list and whole.get(name) not in value,
        }
        if not held[sign]:
            return False
    return True


def test_patterns_and_odd_names_are_bound_and_never_narrower() -> None:
    odd = "x'; DROP TABLE document; --"
    found = where(TagIs(odd, odd))
    assert odd not in found.text
    assert rows(found.text, found.parameters, [("d1", ((odd, odd),)), ("d2", ())]) == {0}
    assert not where(TagLike("a", ("x", "y", ""))).exact
    assert where(Not(TagLike("a", ("x", "y", "")))).text == "1 = 1"
    assert where(TagLike("a", ("x", "y"))).exact
    assert metadata(Not(IdIn(frozenset({"d1"})))).filter == {IDENT: {"$nin": ["d1"]}}


def test_what_has_no_form_is_named_and_left_wider() -> None:
    same = (
        f'@id("same") permit (principal, action == Remit::Action::"{ACTION}", resource)'
        ' when { resource.hasTag("a") && resource.hasTag("b")'
        ' && resource.getTag("a") == resource.getTag("b") };'
    )
    found = prefilter(reading("", ()), world(same, [], None), None)
    assert (found.exact, found.open) == (False, ("policy `same`",))
    assert meets(found.condition, "d1", {})
    assert not given_after(world(same, [], None), "d1", ())
