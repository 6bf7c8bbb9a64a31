"""Arguments of a call as constraints see them: found by JSON pointer, compared as text or as amounts.

Keys are literal: a dot, a slash or `__proto__` in a key is just that key. Booleans are not numbers.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from remit.kernel.canonical import Json, JsonObject, canonical_json

_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_AMOUNT_LENGTH: Final = 32
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def amount_of(text: str) -> Decimal | None:
    """Read a plain decimal (`-12.50`), at most 32 characters of ASCII; None for anything else.

    Exponents, signs before plus, spaces, `NaN` and digits of other scripts are not amounts: two readers
    could disagree about them.
    """
    if len(text) > _AMOUNT_LENGTH or not _AMOUNT.fullmatch(text):
        return None
    return Decimal(text)


def pointed_at(arguments: JsonObject, pointer: str) -> tuple[bool, Json]:
    """Follow a JSON pointer (RFC 6901 §4): whether something is there, and what."""
    present: Json = arguments
    for token in pointer.split("/")[1:]:
        # RFC 6901 §4: first `~1`, then `~0`, so that `~01` becomes `~1` and not a slash.
        found, present = _step(present, token.replace("~1", "/").replace("~0", "~"))
        if not found:
            return False, None
    return True, present


def _step(present: Json, token: str) -> tuple[bool, Json]:
    if isinstance(present, dict):
        return token in present, present.get(token)
    if isinstance(present, Sequence) and not isinstance(present, str) and _INDEX.fullmatch(token):
        index = int(token)
        return (True, present[index]) if index < len(present) else (False, None)
    return False, None


def text_of(value: Json) -> str | None:
    """What `one_of` compares: a string as it is, another scalar as canonical JSON; None for the rest."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return None
    return canonical_json(value).decode()


def number_of(value: Json) -> Decimal | None:
    """What numeric bounds compare: a number, or a string that is a plain decimal; no boolean."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return amount_of(value)
    # `repr` of a float is the shortest decimal that reads back as the same double: what the sender meant.
    return Decimal(repr(value)) if isinstance(value, int | float) else None
