"""Expand: one relation, taken apart once."""

import pytest

from remit.decision.relations.errors import RelationUnknown, RequestInvalid, TypeUnknown
from remit.decision.relations.expand import expand, tree_json
from remit.decision.relations.listing import Lists
from remit.decision.relations.query import (
    LIST_BOUNDS,
    AnyOf,
    Bounds,
    ButNot,
    CheckRequest,
    Computed,
    ExpandRequest,
    ListObjectsRequest,
    ListUsersRequest,
    Through,
    Users,
)
from support.relations import DRIVE, graph_of


def test_every_kind_of_node() -> None:
    graph = graph_of(
        DRIVE,
        "document:1#viewer@user:ana",
        "document:1#viewer@group:eng#member",
        "document:1#parent@folder:a",
        "document:1#parent@folder:b",
    )
    tree = expand(graph, ExpandRequest(relation="viewer", object="document:1"))
    name = "document:1#viewer"
    reached = Through(
        name=name, tupleset="document:1#parent", computed=("folder:a#viewer", "folder:b#viewer")
    )
    direct = Users(name=name, users=("group:eng#member", "user:ana"))
    editors = Computed(name=name, userset="document:1#editor")
    assert tree == ButNot(
        name=name,
        base=AnyOf(name=name, nodes=(direct, editors, reached)),
        subtract=Computed(name=name, userset="document:1#blocked"),
    )


def test_a_tree_is_written_as_openfga_writes_it() -> None:
    graph = graph_of(DRIVE, "document:1#viewer@user:ana", "document:1#parent@folder:a")
    name = "document:1#viewer"
    assert tree_json(expand(graph, ExpandRequest(relation="viewer", object="document:1"))) == {
        "name": name,
        "difference": {
            "base": {
                "name": name,
                "union": {
                    "nodes": [
                        {"name": name, "leaf": {"users": {"users": ["user:ana"]}}},
                        {"name": name, "leaf": {"computed": {"userset": "document:1#editor"}}},
                        {
                            "name": name,
                            "leaf": {
                                "tupleToUserset": {
                                    "tupleset": "document:1#parent",
                                    "computed": [{"userset": "folder:a#viewer"}],
                                }
                            },
                        },
                    ]
                },
            },
            "subtract": {"name": name, "leaf": {"computed": {"userset": "document:1#blocked"}}},
        },
    }


def test_what_the_model_has_not_is_refused_with_the_nearest_name() -> None:
    graph = graph_of(DRIVE)
    with pytest.raises(RequestInvalid, match="did you mean `viewer`"):
        expand(graph, ExpandRequest(relation="viewr", object="document:1"))
    with pytest.raises(RequestInvalid, match="did you mean `document`"):
        graph.check(CheckRequest(user="user:ana", relation="viewer", object="documnt:1"), Bounds())
    with pytest.raises(RequestInvalid):
        graph.check(CheckRequest(user="ana", relation="viewer", object="document:1"), Bounds())
    with pytest.raises(RequestInvalid):
        graph.check(CheckRequest(user="user:ana", relation="viewer", object="document:*"), Bounds())
    lists = Lists(graph)
    with pytest.raises(TypeUnknown):
        lists.objects(ListObjectsRequest(user="user:ana", relation="viewer", type="documnt"), LIST_BOUNDS)
    with pytest.raises(RelationUnknown):
        lists.users(ListUsersRequest(object="document:1", relation="viewr", user_type="user"), LIST_BOUNDS)
