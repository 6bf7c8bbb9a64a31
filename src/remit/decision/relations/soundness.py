"""Whether a model makes sense: what OpenFGA refuses (`pkg/typesystem`), each flaw with its place."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from remit.decision.relations.model import (
    SCHEMA_VERSION,
    AuthorizationModel,
    ComputedUserset,
    Difference,
    Intersection,
    RelationDefinition,
    Rewrite,
    This,
    TupleToUserset,
    TypeDefinition,
    Union,
    UserType,
    parts,
)

TYPES: Final = 100
BREADTH: Final = 100
"""How many children a union or an intersection may have, and how many kinds of user a relation."""
NESTING: Final = 8
_PAIR: Final = 2
_TYPE_NAME: Final = re.compile(r"[^:#@*\s\x00-\x1f]{1,254}")
NAME: Final = re.compile(r"[^:#@*\s\x00-\x1f]{1,50}")
_RESERVED: Final = frozenset({"self", "this"})

Place = tuple[str, str, str]
"""Where a fault is: type (or `condition`), relation or condition, and the word at fault; empty where none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A fault and where it is, before lines and columns are known."""

    place: Place
    sentence: str
    suggestion: str = ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was most likely meant; empty if none is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def tuplesets(model: AuthorizationModel) -> Iterator[tuple[str, str]]:
    """The relations that others go through: pairs of type and relation."""
    for kind in model.types:
        for found in kind.relations:
            for part in parts(found.rewrite):
                if isinstance(part, TupleToUserset):
                    yield kind.name, part.tupleset


def flaws_of(model: AuthorizationModel) -> Iterator[Flaw]:
    """All that is wrong with the types and relations of a model."""
    if model.schema_version != SCHEMA_VERSION:
        yield Flaw(
            place=("", "", ""), sentence=f"schema version `{model.schema_version}` is not `{SCHEMA_VERSION}`"
        )
    if len(model.types) > TYPES:
        yield Flaw(place=("", "", ""), sentence=f"the model has {len(model.types)} types, of at most {TYPES}")
    named = list(_name_flaws(model))
    yield from named
    if not named:
        yield from _Checking(model).flaws()


def _name_flaws(model: AuthorizationModel) -> Iterator[Flaw]:
    seen: set[str] = set()
    for kind in model.types:
        place = (kind.name, "", "")
        if kind.name in seen:
            yield Flaw(
                place=place, sentence=f"an authorization model cannot contain type `{kind.name}` twice"
            )
        seen.add(kind.name)
        if kind.name in _RESERVED or not _TYPE_NAME.fullmatch(kind.name):
            yield Flaw(place=place, sentence=f"`{kind.name[:80]}` can't be the name of a type")
        yield from _relation_name_flaws(kind)


def _relation_name_flaws(kind: TypeDefinition) -> Iterator[Flaw]:
    seen: set[str] = set()
    for found in kind.relations:
        place = (kind.name, found.name, "")
        if found.name in seen:
            yield Flaw(place=place, sentence=f"relation `{kind.name}#{found.name}` is defined twice")
        seen.add(found.name)
        if found.name in _RESERVED or not NAME.fullmatch(found.name):
            yield Flaw(place=place, sentence=f"`{found.name[:80]}` can't be the name of a relation")


class _Checking:
    """The checks of one model that need to look names up."""

    def __init__(self, model: AuthorizationModel) -> None:
        self.relations = {kind.name: {found.name: found for found in kind.relations} for kind in model.types}
        self.conditions = {found.name for found in model.conditions}
        self.tuplesets = set(tuplesets(model))
        self.every = [(kind.name, found) for kind in model.types for found in kind.relations]

    def flaws(self) -> Iterator[Flaw]:
        found = [flaw for kind, relation in self.every for flaw in self._relation(kind, relation)]
        yield from found
        if found:
            return
        entered = self._entered()
        for kind, relation in self.every:
            place, name = (kind, relation.name, ""), f"{kind}#{relation.name}"
            if self._loops(kind, relation.name):
                yield Flaw(
                    place=place,
                    sentence=f"relation `{name}` is defined by itself: a model can't contain a cycle",
                )
            elif (kind, relation.name) not in entered:
                yield Flaw(
                    place=place, sentence=f"relation `{name}` has no entrypoint: nobody could ever have it"
                )

    def _relation(self, kind: str, relation: RelationDefinition) -> Iterator[Flaw]:
        if _nesting(relation.rewrite) > NESTING:
            yield self._flaw(kind, relation, "", f"is nested deeper than {NESTING}")
            return
        for part in parts(relation.rewrite):
            yield from self._part(kind, relation, part)
        yield from self._user_types(kind, relation)

    def _part(self, kind: str, relation: RelationDefinition, part: Rewrite) -> Iterator[Flaw]:
        if isinstance(part, ComputedUserset):
            if part.relation == relation.name:
                yield self._flaw(kind, relation, part.relation, "is defined by itself")
            elif part.relation not in self.relations[kind]:
                yield self._undefined(kind, relation, part.relation)
        elif isinstance(part, TupleToUserset):
            yield from self._through(kind, relation, part)
        elif isinstance(part, Union | Intersection) and not _PAIR <= len(part.children) <= BREADTH:
            word = "union" if isinstance(part, Union) else "intersection"
            yield self._flaw(
                kind, relation, "", f"has an {word} of {len(part.children)} children, not 2 to {BREADTH}"
            )

    def _through(self, kind: str, relation: RelationDefinition, part: TupleToUserset) -> Iterator[Flaw]:
        tupleset = self.relations[kind].get(part.tupleset)
        if tupleset is None:
            yield self._undefined(kind, relation, part.tupleset)
            return
        if not isinstance(tupleset.rewrite, This):
            yield self._flaw(
                kind,
                relation,
                part.tupleset,
                f"goes through `{part.tupleset}`, which must be a direct relation",
            )
            return
        reached = [self.relations.get(user.type, {}) for user in tupleset.user_types]
        if not any(part.computed in relations for relations in reached):
            near = nearest(part.computed, {name for relations in reached for name in relations})
            sentence = f"`{part.computed}` is not a relation of any type that `{kind}#{part.tupleset}` names"
            yield Flaw(place=(kind, relation.name, part.computed), sentence=sentence, suggestion=near)

    def _user_types(self, kind: str, relation: RelationDefinition) -> Iterator[Flaw]:
        direct = any(isinstance(part, This) for part in parts(relation.rewrite))
        if direct != bool(relation.user_types):
            said = (
                "is assignable, but names no type of user"
                if direct
                else "is not assignable, but names types of users"
            )
            yield self._flaw(kind, relation, "", said)
        if len(relation.user_types) > BREADTH:
            yield self._flaw(
                kind, relation, "", f"names {len(relation.user_types)} types of users, of at most {BREADTH}"
            )
        for user in relation.user_types:
            yield from self._user_type(kind, relation, user)

    def _user_type(self, kind: str, relation: RelationDefinition, user: UserType) -> Iterator[Flaw]:
        place = (kind, relation.name, user.type)
        said = f"the user type `{user}` of `{kind}#{relation.name}`"
        if user.type not in self.relations:
            near = nearest(user.type, self.relations)
            yield Flaw(place=place, sentence=f"{said} names an undefined type", suggestion=near)
        elif user.relation and user.relation not in self.relations[user.type]:
            near = nearest(user.relation, self.relations[user.type])
            yield Flaw(
                place=(kind, relation.name, user.relation),
                sentence=f"{said} names an undefined relation",
                suggestion=near,
            )
        elif user.relation and user.wildcard:
            yield Flaw(place=place, sentence=f"{said} is a userset and a wildcard at once")
        elif (user.relation or user.wildcard) and (kind, relation.name) in self.tuplesets:
            yield Flaw(
                place=place, sentence=f"{said} must be an object: the relation is gone through by another"
            )
        if user.condition and user.condition not in self.conditions:
            yield Flaw(
                place=(kind, relation.name, user.condition),
                sentence=f"condition `{user.condition}` is undefined for relation `{kind}#{relation.name}`",
                suggestion=nearest(user.condition, self.conditions),
            )

    def _flaw(self, kind: str, relation: RelationDefinition, word: str, said: str) -> Flaw:
        return Flaw(place=(kind, relation.name, word), sentence=f"relation `{kind}#{relation.name}` {said}")

    def _undefined(self, kind: str, relation: RelationDefinition, name: str) -> Flaw:
        return Flaw(
            place=(kind, relation.name, name),
            sentence=f"relation `{kind}#{name}` is undefined",
            suggestion=nearest(name, set(self.relations[kind]) - {relation.name}),
        )

    def _entered(self) -> set[tuple[str, str]]:
        """The relations that somebody can have: the least set closed under the definitions."""
        entered: set[tuple[str, str]] = set()
        while True:
            more = {(kind, it.name) for kind, it in self.every if self._enters(kind, it, it.rewrite, entered)}
            if more <= entered:
                return entered
            entered |= more

    def _enters(
        self, kind: str, relation: RelationDefinition, part: Rewrite, entered: set[tuple[str, str]]
    ) -> bool:
        match part:
            case This():
                return any(not it.relation or (it.type, it.relation) in entered for it in relation.user_types)
            case ComputedUserset():
                return (kind, part.relation) in entered
            case TupleToUserset():
                users = self.relations[kind][part.tupleset].user_types
                return any((user.type, part.computed) in entered for user in users)
            case Union():
                return any(self._enters(kind, relation, child, entered) for child in part.children)
            case Intersection():
                return all(self._enters(kind, relation, child, entered) for child in part.children)
            case Difference():
                return all(
                    self._enters(kind, relation, child, entered) for child in (part.base, part.subtract)
                )

    def _loops(self, kind: str, start: str) -> bool:
        """Whether a relation is computed from itself on the same object."""
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for part in parts(self.relations[kind][ahead.pop()].rewrite):
                if isinstance(part, ComputedUserset):
                    if part.relation == start:
                        return True
                    if part.relation not in seen:
                        seen.add(part.relation)
                        ahead.append(part.relation)
        return False


def _nesting(rewrite: Rewrite) -> int:
    deepest, ahead = 0, [(rewrite, 1)]
    while ahead:
        part, depth = ahead.pop()
        deepest = max(deepest, depth)
        if isinstance(part, Union | Intersection):
            ahead += [(child, depth + 1) for child in part.children]
        elif isinstance(part, Difference):
            ahead += [(part.base, depth + 1), (part.subtract, depth + 1)]
    return deepest
