"""A language model of random numbers in the files of a real one: it knows nothing, and all of it runs."""

import json
import random
import struct
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 12
HEADS: Final = 3
LAYERS: Final = 2
WIDE: Final = 20
PLACES: Final = 128
WORDS: Final = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "book", "reserve", "a", "room", "pay", "##ment", "##s", "the", "bill",
    "mail", "cafe", "##ing", "meet", ",", ".", "b", "r", "##o",
)  # fmt: skip
CONFIG: Final[dict[str, Any]] = {
    "model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "hidden_size": WIDTH, "layer_norm_eps": 1e-12,
}  # fmt: skip
Table = dict[str, tuple[list[int], list[float]]]


def shapes() -> dict[str, list[int]]:
    """Name and shape of every table."""
    found = {
        "embeddings.word_embeddings.weight": [len(WORDS), WIDTH],
        "embeddings.position_embeddings.weight": [PLACES, WIDTH],
        "embeddings.token_type_embeddings.weight": [2, WIDTH],
        **_norm("embeddings.LayerNorm"),
    }
    for number in range(LAYERS):
        at = f"encoder.layer.{number}"
        for each in ("self.query", "self.key", "self.value", "output.dense"):
            found |= _dense(f"{at}.attention.{each}", WIDTH, WIDTH)
        found |= _norm(f"{at}.attention.output.LayerNorm")
        found |= _dense(f"{at}.intermediate.dense", WIDE, WIDTH)
        found |= _dense(f"{at}.output.dense", WIDTH, WIDE)
        found |= _norm(f"{at}.output.LayerNorm")
    return found


def weights(seed: int = 7) -> Table:
    """Random numbers for every table."""
    drawn = random.Random(seed)  # noqa: S311 - numbers of a model, not a secret
    made: Table = {}
    for name, shape in shapes().items():
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        made[name] = (shape, [drawn.gauss(0, 0.4) for _ in range(size)])
    return made


def write(place: Path, *, table: Table | None = None, config: dict[str, Any] | None = None) -> Path:
    """Write the three files; returns their directory."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(config or CONFIG))
    (place / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (place / "model.safetensors").write_bytes(packed(table or weights()))
    return place


def packed(table: Table) -> bytes:
    """As a safetensors file."""
    head: dict[str, Any] = {"__metadata__": {"format": "np"}}
    data = b""
    for name, (shape, numbers) in table.items():
        raw = struct.pack(f"<{len(numbers)}f", *numbers)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    told = json.dumps(head).encode()
    return struct.pack("<Q", len(told)) + told + data


def _dense(at: str, out: int, into: int) -> dict[str, list[int]]:
    return {f"{at}.weight": [out, into], f"{at}.bias": [out]}


def _norm(at: str) -> dict[str, list[int]]:
    return {f"{at}.weight": [WIDTH], f"{at}.bias": [WIDTH]}
