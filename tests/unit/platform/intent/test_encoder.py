"""The forward pass held against a slow one in plain loops; the tokenizer; files that are no model."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from remit.platform.intent.encoder import Encoder
from remit.platform.intent.faults import ModelInvalid
from remit.platform.intent.wordpiece import PIECES_LIMIT, WordPiece, words
from support import tinymodel
from support.tinymodel import CONFIG, HEADS, LAYERS, WIDTH, WORDS, Table

Row = list[float]


class Slow:
    """BERT as the papers write it, one number at a time, in 64 bits."""

    def __init__(self, table: Table) -> None:
        self.of = table

    def direction(self, numbers: list[int]) -> Row:
        at = "embeddings"
        rows = [
            self.normal(
                [
                    self.cell(f"{at}.word_embeddings.weight", number, i)
                    + self.cell(f"{at}.position_embeddings.weight", place, i)
                    + self.cell(f"{at}.token_type_embeddings.weight", 0, i)
                    for i in range(WIDTH)
                ],
                f"{at}.LayerNorm",
            )
            for place, number in enumerate(numbers)
        ]
        for number in range(LAYERS):
            rows = self.layer(rows, f"encoder.layer.{number}")
        mean = [sum(row[i] for row in rows) / len(rows) for i in range(WIDTH)]
        length = math.sqrt(sum(each * each for each in mean))
        return [each / length for each in mean]

    def layer(self, rows: list[Row], at: str) -> list[Row]:
        asked, keys, values = (
            [self.dense(row, f"{at}.attention.self.{each}") for row in rows]
            for each in ("query", "key", "value")
        )
        size, out = WIDTH // HEADS, []
        for place, row in enumerate(rows):
            mixed: Row = []
            for head in range(HEADS):
                part = range(head * size, (head + 1) * size)
                scores = [
                    math.exp(sum(asked[place][i] * key[i] for i in part) / math.sqrt(size)) for key in keys
                ]
                mixed += [
                    sum(s * v[i] for s, v in zip(scores, values, strict=True)) / sum(scores) for i in part
                ]
            said = self.dense(mixed, f"{at}.attention.output.dense")
            near = self.normal(
                [a + b for a, b in zip(row, said, strict=True)], f"{at}.attention.output.LayerNorm"
            )
            wide = self.dense(near, f"{at}.intermediate.dense")
            wide = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in wide]
            last = self.dense(wide, f"{at}.output.dense")
            out.append(
                self.normal([a + b for a, b in zip(near, last, strict=True)], f"{at}.output.LayerNorm")
            )
        return out

    def dense(self, row: Row, at: str) -> Row:
        (out, into), numbers = self.of[f"{at}.weight"]
        bias = self.of[f"{at}.bias"][1]
        return [sum(numbers[o * into + i] * row[i] for i in range(into)) + bias[o] for o in range(out)]

    def normal(self, row: Row, at: str) -> Row:
        mean = sum(row) / len(row)
        spread = math.sqrt(sum((each - mean) ** 2 for each in row) / len(row) + CONFIG["layer_norm_eps"])
        scale, shift = self.of[f"{at}.weight"][1], self.of[f"{at}.bias"][1]
        return [(x - mean) / spread * s + b for x, s, b in zip(row, scale, shift, strict=True)]

    def cell(self, name: str, row: int, column: int) -> float:
        return self.of[name][1][row * WIDTH + column]


SENTENCES = ("Book a room", "pay the bill.", "Payments, meeting", "unknowable", "a " * 40)


def test_the_forward_pass_is_the_one_of_the_papers(tmp_path: Path) -> None:
    table = tinymodel.weights()
    encoder, slow = Encoder.of_directory(tinymodel.write(tmp_path, table=table)), Slow(table)
    pieces = WordPiece.of_file(tmp_path / "vocab.txt")
    for each in SENTENCES:
        found = encoder.directions([each])[0]
        wanted = slow.direction(pieces.numbers(each))
        assert max(abs(float(a) - b) for a, b in zip(found, wanted, strict=True)) < 1e-4


def test_alone_or_among_others_a_text_has_the_same_direction(tmp_path: Path) -> None:
    encoder = Encoder.of_directory(tinymodel.write(tmp_path))
    together = encoder.directions(SENTENCES)
    for row, each in zip(together, SENTENCES, strict=True):
        assert float(abs(row - encoder.directions([each])[0]).max()) < 1e-5
        assert float(row @ row) == pytest.approx(1, abs=1e-5)
    assert (encoder.directions(SENTENCES) == together).all()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Payments", ["pay", "##ment", "##s"]),
        ("  Café, MEETING.\n", ["cafe", ",", "meet", "##ing", "."]),
        ("bro", ["b", "[UNK]"][1:]),
        ("b\u200book", ["book"]),
        ("the\u00a0bill", ["the", "bill"]),
        ("b" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_text_is_cut_as_the_models_authors_do(text: str, pieces: list[str]) -> None:
    cut = WordPiece({word: number for number, word in enumerate(WORDS)})
    assert [WORDS[number] for number in cut.numbers(text)] == ["[CLS]", *pieces, "[SEP]"]


def test_marks_and_ideographs_are_words_of_their_own() -> None:
    assert list(words("a_b-c 北京 don't $5")) == [
        "a", "_", "b", "-", "c", "北", "京", "don", "'", "t", "$", "5",
    ]  # fmt: skip


def test_a_long_text_is_read_up_to_the_limit() -> None:
    cut = WordPiece({word: number for number, word in enumerate(WORDS)})
    numbers = cut.numbers("room " * 10_000)
    assert len(numbers) == PIECES_LIMIT
    assert (numbers[0], numbers[-1]) == (WORDS.index("[CLS]"), WORDS.index("[SEP]"))


def changed(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, **changes}


@pytest.mark.parametrize(
    "config",
    [
        changed(model_type="gpt"), changed(hidden_act="relu"), changed(num_attention_heads=5),
        changed(hidden_size=24), changed(num_hidden_layers=3), changed(layer_norm_eps=None), [],
    ],
)  # fmt: skip
def test_a_model_of_another_make_is_refused(tmp_path: Path, config: Any) -> None:
    place = tinymodel.write(tmp_path)
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelInvalid):
        Encoder.of_directory(place)


WHOLE = tinymodel.packed(tinymodel.weights())


def spoilt(name: str, *numbers: float) -> bytes:
    """The file with one table that is not what it should be."""
    table = tinymodel.weights()
    del table[name]
    if numbers:
        table[name] = ([1, WIDTH] if len(numbers) == WIDTH else [len(numbers)], [*numbers])
    return tinymodel.packed(table)


SPOILT = {
    "cut": WHOLE[:-40],
    "empty": b"",
    "length": struct.pack("<Q", 1 << 60) + WHOLE[8:],
    "json": struct.pack("<Q", 4) + b"{{{{",
    "list": struct.pack("<Q", 2) + b"[]",
    "offsets": WHOLE.replace(b'"data_offsets": [0, ', b'"data_offsets": [9, ', 1),
    "shape": WHOLE.replace(b'"shape": [12]', b'"shape": "12"', 1),
    "nan": spoilt("embeddings.LayerNorm.bias", *[math.nan] * 11, 1.0),
    "rows": spoilt("embeddings.word_embeddings.weight", *[0.5] * WIDTH),
    "wide": spoilt("encoder.layer.1.output.dense.bias", 1.0, 2.0),
    "absent": spoilt("encoder.layer.1.output.dense.bias"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_weights_that_do_not_hold_are_refused_before_anything_is_computed(tmp_path: Path, kind: str) -> None:
    place = tinymodel.write(tmp_path)
    (place / "model.safetensors").write_bytes(SPOILT[kind])
    with pytest.raises(ModelInvalid):
        Encoder.of_directory(place)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    place = tinymodel.write(tmp_path)
    (place / name).unlink()
    with pytest.raises(ModelInvalid, match=name):
        Encoder.of_directory(place)
