"""A model that makes sense: looked up by name, and refused where it contradicts itself."""

from collections.abc import Iterator, Mapping

from remit.decision.relations.conditions import Condition, Uncompilable, compile_condition
from remit.decision.relations.errors import ModelFault, ModelRefused, RelationUnknown, TypeUnknown
from remit.decision.relations.model import AuthorizationModel, RelationDefinition
from remit.decision.relations.soundness import NAME, Flaw, Place, flaws_of, nearest, tuplesets


class TypeSystem:
    """A checked model; immutable. Made by `TypeSystem.of`, which raises `ModelRefused`."""

    __slots__ = ("_relations", "conditions", "model", "tuplesets")

    def __init__(self, model: AuthorizationModel, conditions: Mapping[str, Condition]) -> None:
        self.model = model
        self.conditions = conditions
        self._relations = {kind.name: {found.name: found for found in kind.relations} for kind in model.types}
        self.tuplesets = frozenset(tuplesets(model))

    @classmethod
    def of(
        cls, model: AuthorizationModel, places: Mapping[Place, tuple[int, int]] | None = None
    ) -> "TypeSystem":
        """The model, checked whole; `places` are lines and columns, if it was a text."""
        conditions, flaws = _compiled(model)
        flaws = [*flaws_of(model), *flaws]
        if flaws:
            raise ModelRefused(tuple(_located(flaw, places or {}) for flaw in flaws))
        return cls(model, conditions)

    @property
    def types(self) -> tuple[str, ...]:
        """The names of all types."""
        return tuple(self._relations)

    def relations(self, kind: str) -> Mapping[str, RelationDefinition]:
        """The relations of a type; raises `TypeUnknown`."""
        found = self._relations.get(kind)
        if found is None:
            near = nearest(kind, self._relations)
            raise TypeUnknown(f"type `{kind}` not found" + (f"; did you mean `{near}`?" if near else ""))
        return found

    def relation(self, kind: str, name: str) -> RelationDefinition:
        """One relation; raises `TypeUnknown` or `RelationUnknown`."""
        relations = self.relations(kind)
        found = relations.get(name)
        if found is None:
            near = nearest(name, relations)
            raise RelationUnknown(
                f"relation `{kind}#{name}` not found" + (f"; did you mean `{near}`?" if near else "")
            )
        return found

    def has(self, kind: str, name: str) -> bool:
        """Whether the type has the relation."""
        return name in self._relations.get(kind, ())

    def definitions(self) -> Iterator[tuple[str, RelationDefinition]]:
        """Every relation of every type."""
        for kind, relations in self._relations.items():
            for found in relations.values():
                yield kind, found


def _located(flaw: Flaw, places: Mapping[Place, tuple[int, int]]) -> ModelFault:
    kind, name, _ = flaw.place
    for place in (flaw.place, (kind, name, ""), (kind, "", "")):
        if place in places:
            line, column = places[place]
            return ModelFault(sentence=flaw.sentence, line=line, column=column, suggestion=flaw.suggestion)
    return ModelFault(sentence=flaw.sentence, suggestion=flaw.suggestion)


def _compiled(model: AuthorizationModel) -> tuple[dict[str, Condition], list[Flaw]]:
    conditions: dict[str, Condition] = {}
    flaws: list[Flaw] = []
    for definition in model.conditions:
        place = ("condition", definition.name, "")
        if definition.name in conditions:
            flaws.append(Flaw(place=place, sentence=f"condition `{definition.name}` is defined twice"))
        elif not NAME.fullmatch(definition.name):
            flaws.append(Flaw(place=place, sentence=f"condition name `{definition.name[:80]}` is malformed"))
        try:
            conditions[definition.name] = compile_condition(definition)
        except Uncompilable as error:
            sentence = f"failed to compile expression on condition `{definition.name}`: {error}"
            flaws.append(Flaw(place=place, sentence=sentence))
    return conditions, flaws
