"""OpenFGA's requests, read strictly but for members that we do not know: its clients send more every year."""

from typing import Annotated, Any

import msgspec

from remit.decision.relations.query import CheckRequest, Given
from remit.decision.relations.tuples import RelationTuple, TupleCondition

Text = Annotated[str, msgspec.Meta(max_length=4096)]
StoreName = Annotated[str, msgspec.Meta(min_length=3, max_length=64, pattern=r"^[a-zA-Z0-9\s./^_&@-]{3,64}$")]


class FgaStoreName(msgspec.Struct, frozen=True, kw_only=True):
    """A store to make."""

    name: StoreName


class FgaCondition(msgspec.Struct, frozen=True, kw_only=True):
    """The condition of a tuple."""

    name: Text
    context: dict[str, Any] | None = None


class FgaTupleKey(msgspec.Struct, frozen=True, kw_only=True):
    """A tuple."""

    user: Text
    relation: Text
    object: Text
    condition: FgaCondition | None = None

    def tuple(self) -> RelationTuple:
        """As the domain says it."""
        given = self.condition
        return RelationTuple(
            user=self.user,
            relation=self.relation,
            object=self.object,
            condition=TupleCondition(name=given.name, context=given.context or {})
            if given is not None and given.name
            else None,
        )


class FgaTupleKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Tuples that a question brings along."""

    tuple_keys: list[FgaTupleKey] | None = None


class FgaWrites(msgspec.Struct, frozen=True, kw_only=True):
    """Tuples to write."""

    tuple_keys: list[FgaTupleKey]
    on_duplicate: str = "error"


class FgaDeletes(msgspec.Struct, frozen=True, kw_only=True):
    """Tuples to delete."""

    tuple_keys: list[FgaTupleKey]
    on_missing: str = "error"


class FgaWrite(msgspec.Struct, frozen=True, kw_only=True):
    """Write and delete together."""

    writes: FgaWrites | None = None
    deletes: FgaDeletes | None = None
    authorization_model_id: str | None = None


class FgaReadKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which tuples to read."""

    user: Text | None = None
    relation: Text | None = None
    object: Text | None = None


class FgaRead(msgspec.Struct, frozen=True, kw_only=True):
    """Read tuples."""

    tuple_key: FgaReadKey | None = None
    page_size: int | None = None
    continuation_token: Text | None = None
    consistency: str | None = None


class FgaAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What every question may say."""

    authorization_model_id: str | None = None
    context: dict[str, Any] | None = None
    consistency: str | None = None


class FgaQuestionKey(msgspec.Struct, frozen=True, kw_only=True):
    """Who, how, what."""

    user: Text = ""
    relation: Text = ""
    object: Text = ""


class FgaCheck(FgaAsked, frozen=True, kw_only=True):
    """One question."""

    tuple_key: FgaQuestionKey
    contextual_tuples: FgaTupleKeys | None = None

    def question(self) -> CheckRequest:
        """As the domain says it."""
        return question_of(self.tuple_key, self.contextual_tuples, self.context)


class FgaBatchItem(msgspec.Struct, frozen=True, kw_only=True):
    """One question of several."""

    tuple_key: FgaQuestionKey
    correlation_id: str
    contextual_tuples: FgaTupleKeys | None = None
    context: dict[str, Any] | None = None


class FgaBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Several questions."""

    checks: list[FgaBatchItem]
    authorization_model_id: str | None = None
    consistency: str | None = None


class FgaExpandKey(msgspec.Struct, frozen=True, kw_only=True):
    """What to take apart."""

    relation: Text = ""
    object: Text = ""


class FgaExpand(FgaAsked, frozen=True, kw_only=True):
    """Take a relation apart."""

    tuple_key: FgaExpandKey
    contextual_tuples: FgaTupleKeys | None = None


class FgaListObjects(FgaAsked, frozen=True, kw_only=True):
    """To what is the user related?"""

    type: Text = ""
    relation: Text = ""
    user: Text = ""
    contextual_tuples: FgaTupleKeys | None = None


class FgaObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object, taken apart."""

    type: Text = ""
    id: Text = ""


class FgaUserFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which users are wanted."""

    type: Text = ""
    relation: Text | None = None


class FgaListUsers(FgaAsked, frozen=True, kw_only=True):
    """Who is related to the object?"""

    object: FgaObject
    relation: Text = ""
    user_filters: list[FgaUserFilter]
    contextual_tuples: list[FgaTupleKey] | None = None


def question_of(
    key: FgaQuestionKey, brought: FgaTupleKeys | None, context: dict[str, Any] | None
) -> CheckRequest:
    """One question, as the domain says it."""
    given = given_of(brought.tuple_keys if brought else None, context)
    return CheckRequest(user=key.user, relation=key.relation, object=key.object, given=given)


def given_of(brought: list[FgaTupleKey] | None, context: dict[str, Any] | None) -> Given:
    """What a question brings along."""
    return Given(contextual=tuple(each.tuple() for each in brought or ()), context=context or {})
