"""Turn sentences into directions: the forward pass of a BERT model, mean of its last layer, of length 1.

Devlin et al., "BERT" (2019); Reimers and Gurevych, "Sentence-BERT" (2019), section 3. Alike sentences point
the same way: the product of two directions lies between -1 and 1 and is 1 for the same text.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from remit.platform.intent.faults import ModelInvalid
from remit.platform.intent.weights import Numbers, read_weights
from remit.platform.intent.wordpiece import PIECES_LIMIT, WordPiece

_CONFIG: Final = "config.json"
_WEIGHTS: Final = "model.safetensors"
_VOCABULARY: Final = "vocab.txt"
_ROWS: Final = "embeddings.word_embeddings.weight"
_FAR: Final = np.float32(-1e9)
"""Added to what must not be attended to: nothing is left of it after the exponential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What `config.json` says of a model."""

    layers: int
    heads: int
    width: int
    epsilon: float

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Layout":
        """Raises `ModelInvalid` for a model of another make."""
        if told.get("model_type") != "bert" or told.get("hidden_act") != "gelu":
            raise ModelInvalid(f"`{_CONFIG}` describes no BERT model with GELU")
        found = [told.get(each) for each in ("num_hidden_layers", "num_attention_heads", "hidden_size")]
        epsilon = told.get("layer_norm_eps")
        if not all(type(each) is int and each > 0 for each in found) or not isinstance(epsilon, float):
            raise ModelInvalid(f"`{_CONFIG}` lacks the measures of the model")
        layers, heads, width = (int(each or 0) for each in found)
        if width % heads:
            raise ModelInvalid(f"`{_CONFIG}` parts a width of {width} among {heads} heads")
        return cls(layers=layers, heads=heads, width=width, epsilon=epsilon)


class Encoder:
    """A loaded model; may be used by one thread at a time."""

    __slots__ = ("_layout", "_weights", "_words")

    def __init__(self, layout: Layout, weights: Mapping[str, Numbers], words: WordPiece) -> None:
        self._layout = layout
        self._weights = weights
        self._words = words

    @classmethod
    def of_directory(cls, place: Path) -> "Encoder":
        """Load `config.json`, `vocab.txt` and `model.safetensors`, and try them. Raises `ModelInvalid`."""
        try:
            told = json.loads((place / _CONFIG).read_text(encoding="utf-8"))
            words = WordPiece.of_file(place / _VOCABULARY)
            weights = read_weights(place / _WEIGHTS)
        except OSError as absent:
            raise ModelInvalid(f"`{absent.filename}` can't be read: {absent.strerror}") from absent
        except ValueError as wrong:
            raise ModelInvalid(
                f"`{_CONFIG}` or `{_VOCABULARY}` of `{place}` is no text of its kind"
            ) from wrong
        layout, rows = Layout.of(told if isinstance(told, dict) else {}), weights.get(_ROWS)
        if rows is None or rows.shape != (max(len(words), len(rows)), layout.width):
            raise ModelInvalid(f"the model has not {len(words)} pieces of {layout.width} numbers each")
        found = cls(layout, weights, words)
        found._tried()
        return found

    def directions(self, texts: Sequence[str]) -> Numbers:
        """One row of length 1 for each text; alone or among others, a text has the same."""
        numbers = [self._words.numbers(each) for each in texts]
        longest = max(map(len, numbers))
        ids = np.zeros((len(numbers), longest), dtype=np.int64)
        there = np.zeros((len(numbers), longest), dtype=np.float32)
        for row, each in enumerate(numbers):
            ids[row, : len(each)] = each
            there[row, : len(each)] = 1
        last = self._layers(self._embedded(ids), (1 - there[:, None, None, :]) * _FAR)
        mean = (last * there[:, :, None]).sum(axis=1) / there.sum(axis=1, keepdims=True)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _tried(self) -> None:
        """Run every table once, at the longest text: a wrong shape is found now and not at a call."""
        try:
            found = self.directions(["a " * PIECES_LIMIT, "b"])
        except KeyError as absent:
            raise ModelInvalid(f"the model lacks {absent}") from absent
        except (ValueError, IndexError) as misfit:
            raise ModelInvalid("the tables of the model do not fit each other") from misfit
        if not np.isfinite(found).all():
            raise ModelInvalid("the model computes what is no number")

    def _embedded(self, ids: "np.ndarray[Any, np.dtype[np.int64]]") -> Numbers:
        at = "embeddings"
        summed = (
            self._weights[_ROWS][ids]
            + self._weights[f"{at}.position_embeddings.weight"][: ids.shape[1]]
            + self._weights[f"{at}.token_type_embeddings.weight"][0]
        )
        return self._normal(summed, f"{at}.LayerNorm")

    def _layers(self, x: Numbers, mask: Numbers) -> Numbers:
        for number in range(self._layout.layers):
            at = f"encoder.layer.{number}"
            x = self._normal(
                x + self._attended(x, mask, f"{at}.attention"), f"{at}.attention.output.LayerNorm"
            )
            wide = _gelu(self._dense(x, f"{at}.intermediate.dense"))
            x = self._normal(x + self._dense(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        return x

    def _attended(self, x: Numbers, mask: Numbers, at: str) -> Numbers:
        """Softmax of what each place asks of each other one, over their values; per head."""
        asked, keys, values = (self._heads(x, f"{at}.self.{each}") for each in ("query", "key", "value"))
        scores = asked @ keys.transpose(0, 1, 3, 2) / math.sqrt(self._layout.width // self._layout.heads)
        scores = np.exp((scores := scores + mask) - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ values
        return self._dense(mixed.transpose(0, 2, 1, 3).reshape(x.shape), f"{at}.output.dense")

    def _heads(self, x: Numbers, at: str) -> Numbers:
        """(texts, heads, places, width of a head)."""
        texts, places, _ = x.shape
        return self._dense(x, at).reshape(texts, places, self._layout.heads, -1).transpose(0, 2, 1, 3)

    def _dense(self, x: Numbers, at: str) -> Numbers:
        return x @ self._weights[f"{at}.weight"].T + self._weights[f"{at}.bias"]

    def _normal(self, x: Numbers, at: str) -> Numbers:
        mean, spread = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        told = (x - mean) / np.sqrt(spread + self._layout.epsilon)
        return np.asarray(
            told * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"], dtype=np.float32
        )


def _gelu(x: Numbers) -> Numbers:
    """X · Φ(x) (Hendrycks and Gimpel 2016)."""
    return np.asarray(x * 0.5 * (1 + _erf(x / math.sqrt(2))), dtype=np.float32)


def _erf(x: Numbers) -> Numbers:
    """Abramowitz and Stegun 7.1.26: within 1.5e-7, which is what 32 bits tell apart."""
    away = np.abs(x)
    t = 1 / (1 + 0.3275911 * away)
    sum_ = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.asarray(np.sign(x) * (1 - sum_ * np.exp(-away * away)), dtype=np.float32)
