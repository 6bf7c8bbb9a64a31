"""What OpenFGA refuses, under OpenFGA's own error codes.

`fga` is the code that OpenFGA's clients switch on; `code` is ours. A surface that speaks OpenFGA sends the
first with the status that `FgaCode.status` names, every other surface sends the second.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError, TooLarge


class FgaCode(StrEnum):
    """Error codes of OpenFGA's HTTP API (openfga/api, `errors_ignore.proto`) that Remit answers with."""

    VALIDATION_ERROR = "validation_error"
    MODEL_NOT_FOUND = "authorization_model_not_found"
    TOO_COMPLEX = "authorization_model_resolution_too_complex"
    INVALID_WRITE_INPUT = "invalid_write_input"
    DUPLICATE_TUPLES = "cannot_allow_duplicate_tuples_in_one_request"
    INVALID_CONTINUATION_TOKEN = "invalid_continuation_token"  # noqa: S105 - a code, not a secret
    TOKEN_TYPE_MISMATCH = "query_string_type_continuation_token_mismatch"  # noqa: S105 - a code, not a secret
    INVALID_EXPAND_INPUT = "invalid_expand_input"
    WRITE_FAILED = "write_failed_due_to_invalid_input"
    ASSERTIONS_NOT_FOUND = "authorization_model_assertions_not_found"
    LATEST_MODEL_NOT_FOUND = "latest_authorization_model_not_found"
    TYPE_NOT_FOUND = "type_not_found"
    RELATION_NOT_FOUND = "relation_not_found"
    INVALID_TUPLE = "invalid_tuple"
    EXCEEDED_ENTITY_LIMIT = "exceeded_entity_limit"
    INVALID_MODEL = "invalid_authorization_model"
    INVALID_START_TIME = "invalid_start_time"
    STORE_NOT_FOUND = "store_id_not_found"
    UNDEFINED_ENDPOINT = "undefined_endpoint"

    @property
    def status(self) -> int:
        """The HTTP status that OpenFGA sends with the code."""
        return 404 if self in {FgaCode.STORE_NOT_FOUND, FgaCode.UNDEFINED_ENDPOINT} else 400


class RelationError(RemitError):
    """Whatever the relations wing refuses; has an OpenFGA code besides ours."""

    fga: ClassVar[FgaCode] = FgaCode.VALIDATION_ERROR


class RequestInvalid(RelationError, Invalid):
    """A request is malformed, or asks for what the model has not: OpenFGA's `validation_error`."""

    code = "relation_request_invalid"


class TypeUnknown(RelationError, Invalid):
    """A type that the model does not define."""

    code = "relation_type_unknown"
    fga = FgaCode.TYPE_NOT_FOUND


class RelationUnknown(RelationError, Invalid):
    """A relation that the model does not define on that type."""

    code = "relation_unknown"
    fga = FgaCode.RELATION_NOT_FOUND


class TupleInvalid(RelationError, Invalid):
    """A tuple is malformed or breaks the type restrictions of its relation."""

    code = "relation_tuple_invalid"
    fga = FgaCode.INVALID_TUPLE


class ConditionInvalid(RelationError, Invalid):
    """A tuple's condition is missing, undefined, not allowed there, or has a context that does not fit."""

    code = "relation_condition_invalid"


class ConditionFailed(RelationError, Invalid):
    """A condition could not be evaluated: a parameter is missing or of the wrong type, or CEL failed."""

    code = "relation_condition_failed"


class TooComplex(RelationError, Invalid):
    """The answer needs more hops or steps than are allowed: it is denied, and said to be incomplete."""

    code = "relation_too_complex"
    fga = FgaCode.TOO_COMPLEX


class TuplesDuplicate(RelationError, Invalid):
    """One request names the same tuple twice, as writes or as deletes or as both."""

    code = "relation_tuples_duplicate"
    fga = FgaCode.DUPLICATE_TUPLES


class WriteEmpty(RelationError, Invalid):
    """A write without a tuple to write or delete."""

    code = "relation_write_empty"
    fga = FgaCode.INVALID_WRITE_INPUT


class WriteRefused(RelationError, Conflict):
    """A tuple to write that is there, or one to delete that is not; nothing of the request is written."""

    code = "relation_write_refused"
    fga = FgaCode.WRITE_FAILED


class EntitiesExceeded(RelationError, TooLarge):
    """More tuples, checks or types than one request may hold."""

    code = "relation_entities_exceeded"
    fga = FgaCode.EXCEEDED_ENTITY_LIMIT


class ContinuationInvalid(RelationError, Invalid):
    """A continuation token that is not of this list."""

    code = "relation_continuation_invalid"
    fga = FgaCode.INVALID_CONTINUATION_TOKEN


class ContinuationForgotten(RelationError, Invalid):
    """A continuation token from before the changes that are still kept: read the store's tuples anew."""

    code = "relation_continuation_forgotten"
    fga = FgaCode.INVALID_CONTINUATION_TOKEN


class StoreUnknown(RelationError, NotFound):
    """No such store, or none that this caller may know of."""

    code = "relation_store_unknown"
    fga = FgaCode.STORE_NOT_FOUND


class ModelUnknown(RelationError, NotFound):
    """No authorization model with that id in the store."""

    code = "relation_model_unknown"
    fga = FgaCode.MODEL_NOT_FOUND


class ModelMissing(RelationError, NotFound):
    """The store has no authorization model yet."""

    code = "relation_model_missing"
    fga = FgaCode.LATEST_MODEL_NOT_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFault:
    """One thing wrong with a model. `line` and `column` count from 1; 0 where the model was given as JSON."""

    sentence: str
    line: int = 0
    column: int = 0
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{place}{self.sentence}" + (
            f" (did you mean `{self.suggestion}`?)" if self.suggestion else ""
        )


class ModelRefused(RelationError, Invalid):
    """The model is malformed or contradicts itself; nothing of it is taken."""

    code = "relation_model_refused"
    fga = FgaCode.INVALID_MODEL

    def __init__(self, faults: tuple[ModelFault, ...]) -> None:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{faults[0]}{more}")
        self.faults = faults
