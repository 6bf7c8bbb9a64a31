"""Expand: a relation taken apart once, as OpenFGA's `UsersetTree`."""

from remit.decision.relations.admission import admit_question
from remit.decision.relations.graph import Graph
from remit.decision.relations.model import (
    ComputedUserset,
    Difference,
    Intersection,
    Rewrite,
    This,
    TupleToUserset,
    Union,
)
from remit.decision.relations.query import (
    AllOf,
    AnyOf,
    ButNot,
    Computed,
    ExpandRequest,
    Expansion,
    Through,
    Users,
)
from remit.decision.relations.tuples import split_object
from remit.kernel.canonical import Json, JsonObject


def expand(graph: Graph, request: ExpandRequest) -> Expansion:
    """The tree of one relation of one object; conditions are not looked at, as in OpenFGA."""
    system = graph.plan.system
    kind, _ = split_object(request.object)
    admit_question(system, user=request.object, relation=request.relation, object_=request.object)
    beside = graph.beside(request.given)
    return _Expanding(beside, request.object, request.relation).part(
        system.relation(kind, request.relation).rewrite
    )


class _Expanding:
    """One expansion."""

    def __init__(self, graph: Graph, thing: str, relation: str) -> None:
        self._graph = graph
        self._thing = thing
        self._relation = relation
        self._name = f"{thing}#{relation}"

    def part(self, rewrite: Rewrite) -> Expansion:
        """The tree of a part."""
        match rewrite:
            case This():
                return Users(name=self._name, users=self._graph.users(self._thing, self._relation))
            case ComputedUserset():
                return Computed(name=self._name, userset=f"{self._thing}#{rewrite.relation}")
            case TupleToUserset():
                return self._through(rewrite)
            case Union():
                return AnyOf(name=self._name, nodes=tuple(map(self.part, rewrite.children)))
            case Intersection():
                return AllOf(name=self._name, nodes=tuple(map(self.part, rewrite.children)))
            case Difference():
                base, subtract = self.part(rewrite.base), self.part(rewrite.subtract)
                return ButNot(name=self._name, base=base, subtract=subtract)

    def _through(self, rewrite: TupleToUserset) -> Through:
        system = self._graph.plan.system
        reached = [
            f"{user}#{rewrite.computed}"
            for user in self._graph.users(self._thing, rewrite.tupleset)
            if system.has(split_object(user)[0], rewrite.computed)
        ]
        return Through(name=self._name, tupleset=f"{self._thing}#{rewrite.tupleset}", computed=tuple(reached))


def tree_json(node: Expansion) -> JsonObject:
    """A node of the tree as OpenFGA writes it (`UsersetTree.Node`)."""
    told: JsonObject = {"name": node.name}
    match node:
        case Users():
            told["leaf"] = {"users": {"users": list(node.users)}}
        case Computed():
            told["leaf"] = {"computed": {"userset": node.userset}}
        case Through():
            reached: list[Json] = [{"userset": userset} for userset in node.computed]
            told["leaf"] = {"tupleToUserset": {"tupleset": node.tupleset, "computed": reached}}
        case AnyOf():
            told["union"] = {"nodes": [tree_json(child) for child in node.nodes]}
        case AllOf():
            told["intersection"] = {"nodes": [tree_json(child) for child in node.nodes]}
        case ButNot():
            told["difference"] = {"base": tree_json(node.base), "subtract": tree_json(node.subtract)}
    return told
