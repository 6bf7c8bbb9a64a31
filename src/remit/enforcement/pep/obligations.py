"""What an enforcement point can be obliged to do with a permitted call's result.

INVARIANT: a type that is not in `UNDERSTOOD`, or one whose properties make no sense, denies the call
before it is sent (PD-18): an obligation is never skipped.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from remit.decision.answer.response import Obligation
from remit.kernel.errors import RemitError

HIDDEN: Final = "[removed by policy]"
_POINTER: Final = re.compile(r"(/([^~/]|~[01])*)+")
_INVISIBLE: Final = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
    "|\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07]*\x07?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)


class ObligationUnknown(RemitError):
    """An obligation that this enforcement point can't fulfil."""

    code = "obligation_unknown"
    kind = "forbidden"


Properties = Mapping[str, str]


def check(obligations: Iterable[Obligation], *, method: str) -> None:
    """Raise `ObligationUnknown` unless every obligation can be fulfilled on the result of this method.

    Only a tool's result has a shape in which members can be found; text can be cleaned anywhere.
    """
    for obligation in obligations:
        needed = UNDERSTOOD.get(obligation.type)
        if needed is None or (method != "tools/call" and not _anywhere(obligation.type)):
            raise ObligationUnknown(f"obligation `{obligation.type}` is not understood here")
        properties = dict(obligation.properties)
        if obligation.type == LABEL:
            if not properties:
                raise ObligationUnknown("obligation `label` needs a name and a value")
        elif set(properties) != set(needed[0]):
            raise ObligationUnknown(
                f"obligation `{obligation.type}` needs {', '.join(needed[0]) or 'no properties'}"
            )
        if any(
            not _POINTER.fullmatch(properties[name])
            for name in needed[0]
            if name in {"pointer", "list", "where", "id", "tags"}
        ):
            raise ObligationUnknown(f"obligation `{obligation.type}` holds no JSON pointer")


def _anywhere(kind: str) -> bool:
    """Whether it can be fulfilled on every method's result."""
    return kind in {"visible_text", "no_export", "summarize_only", LABEL}


def fulfil(obligations: Sequence[Obligation], result: dict[str, Any]) -> dict[str, Any]:
    """Apply each obligation to a tool's result: structured content, and every text that repeats it.

    A text that is not JSON can't be searched for a member, so it is withheld whole.
    """
    for obligation in obligations:
        edit = UNDERSTOOD[obligation.type][1]
        if edit is _elsewhere:
            continue
        properties = dict(obligation.properties)
        result = _everywhere(result, edit, properties)
    return result


def _everywhere(result: dict[str, Any], edit: "Edit", properties: Properties) -> dict[str, Any]:
    if edit is _visible:
        edited: dict[str, Any] = _visible(result, properties)
        return edited
    if "structuredContent" in result:
        # SAFETY: texts beside structured content repeat it in a shape of their own; they are written anew.
        value = edit(result["structuredContent"], properties)
        text = json.dumps(value, ensure_ascii=False)
        return {**result, "structuredContent": value, "content": [{"type": "text", "text": text}]}
    return {**result, "content": [_content(block, edit, properties) for block in result.get("content", [])]}


def _content(block: Any, edit: "Edit", properties: Properties) -> Any:
    text = block.get("text") if isinstance(block, dict) else None
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    edited = edit(value, properties)
    # Nothing found to edit: the text may say the same in other words, so it is withheld whole.
    return {"type": "text", "text": HIDDEN if edited == value else json.dumps(edited, ensure_ascii=False)}


def _redact(value: Any, properties: Properties) -> Any:
    return _at(value, _steps(properties["pointer"]), lambda _: HIDDEN)


def _drop(value: Any, properties: Properties) -> Any:
    """Remove each item of a list whose member at `where` is, or contains, the given text."""

    def keep(items: Any) -> Any:
        if not isinstance(items, list):
            return HIDDEN
        return [item for item in items if not _holds(item, _steps(properties["where"]), properties["equals"])]

    return _at(value, _steps(properties["list"]), keep)


def _visible(value: Any, properties: Properties) -> Any:
    """Take out what a person does not see: tag characters, direction marks, terminal commands (MC-17)."""
    if isinstance(value, str):
        return _INVISIBLE.sub("", value)
    if isinstance(value, list):
        return [_visible(item, properties) for item in value]
    if isinstance(value, dict):
        return {_INVISIBLE.sub("", name): _visible(item, properties) for name, item in value.items()}
    return value


def _elsewhere(value: Any, _: Properties) -> Any:
    """Fulfilled by others: `label` and its kin when the result is put on record, documents by `retrieval`."""
    return value


Edit = Callable[[Any, Properties], Any]
LABEL: Final = "label"
DROP_DOCUMENTS: Final = "drop_documents"
UNDERSTOOD: Final[dict[str, tuple[tuple[str, ...], Edit]]] = {
    "redact": (("pointer",), _redact),
    "drop_items": (("list", "where", "equals"), _drop),
    "visible_text": ((), _visible),
    "no_export": ((), _elsewhere),
    "summarize_only": ((), _elsewhere),
    LABEL: ((), _elsewhere),
    DROP_DOCUMENTS: (("list", "id", "tags"), _elsewhere),
}
"""Type → its properties and what it does."""


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _at(value: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    """Change what the steps lead to, through every item of each list on the way."""
    if isinstance(value, list) and (not steps or not steps[0].isdigit()) and steps:
        return [_at(item, steps, change) for item in value]
    if not steps:
        return change(value)
    if isinstance(value, dict) and steps[0] in value:
        return {**value, steps[0]: _at(value[steps[0]], steps[1:], change)}
    if isinstance(value, list) and int(steps[0]) < len(value):
        index = int(steps[0])
        return [*value[:index], _at(value[index], steps[1:], change), *value[index + 1 :]]
    return value


def _holds(item: Any, steps: list[str], wanted: str) -> bool:
    for step in steps:
        item = item.get(step) if isinstance(item, dict) else None
    return wanted in item if isinstance(item, list) else item == wanted
