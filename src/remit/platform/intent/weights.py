"""Read the numbers of a model from a `safetensors` file: a length, a table as JSON, then plain numbers.

No code comes out of such a file; what its table says is held against its size before anything is read.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

# SAFETY: before numpy is loaded: more threads than one only take the cores of the decisions.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from remit.platform.intent.faults import ModelInvalid

Numbers: TypeAlias = NDArray[np.float32]

FILE_LIMIT: Final = 1 << 30
"""Bytes of a model; it is held in memory as a whole."""
TABLE_LIMIT: Final = 1 << 22
_LENGTH: Final = 8
_KINDS: Final[Mapping[str, type[np.floating[Any]]]] = {"F32": np.float32, "F16": np.float16}


def read_weights(path: Path) -> dict[str, Numbers]:
    """Every table of floating point numbers by name, as 32 bits. Raises `OSError`, `ModelInvalid`."""
    size = path.stat().st_size
    if size > FILE_LIMIT:
        raise ModelInvalid(f"`{path.name}` has {size} bytes, at most {FILE_LIMIT} are read")
    whole = path.read_bytes()
    length = int.from_bytes(whole[:_LENGTH], "little")
    if len(whole) < _LENGTH or not 0 < length <= min(TABLE_LIMIT, len(whole) - _LENGTH):
        raise ModelInvalid(f"`{path.name}` is no safetensors file")
    try:
        table = json.loads(whole[_LENGTH : _LENGTH + length])
    except ValueError as wrong:
        raise ModelInvalid(f"the table of `{path.name}` can't be read") from wrong
    if not isinstance(table, dict):
        raise ModelInvalid(f"the table of `{path.name}` is no object")
    data = memoryview(whole)[_LENGTH + length :]
    return {
        name: _numbers(name, said, data)
        for name, said in table.items()
        if isinstance(said, dict) and said.get("dtype") in _KINDS
    }


def _numbers(name: str, said: Mapping[str, Any], data: memoryview) -> Numbers:
    kind = np.dtype(_KINDS[said["dtype"]]).newbyteorder("<")
    shape, place = _counts(said.get("shape")), _counts(said.get("data_offsets"))
    if shape is None or place is None or len(place) != 2:  # noqa: PLR2004 — [begin, end)
        raise ModelInvalid(f"the table says nothing of use about `{name}`")
    begin, end = place
    if not begin <= end <= len(data) or end - begin != math.prod(shape) * kind.itemsize:
        raise ModelInvalid(f"`{name}` does not lie in the file as its table says")
    read = np.frombuffer(data[begin:end], dtype=kind).reshape(shape).astype(np.float32)
    if not np.isfinite(read).all():
        raise ModelInvalid(f"`{name}` holds what is no number")
    return read


def _counts(said: object) -> list[int] | None:
    fine = isinstance(said, list) and all(type(each) is int and each >= 0 for each in said)
    return [int(each) for each in said] if isinstance(said, list) and fine else None
