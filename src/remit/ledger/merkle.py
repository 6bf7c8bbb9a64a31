"""The tree that binds the records: RFC 9162 §2.1 over SHA-256, without input or output.

A node is named by level and index: node (0, i) is leaf i, node (k, i) covers the 2ᵏ leaves from i·2ᵏ on.
Only complete nodes are ever stored or fetched; they never change as the tree grows.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.kernel.canonical import same_bytes
from remit.kernel.errors import Invalid

Hash = bytes
"""SHA-256, 32 bytes."""
FetchNode = Callable[[int, int], Hash]
"""Gives the hash of the complete node (level, index)."""

EMPTY_ROOT: Final[Hash] = hashlib.sha256(b"").digest()
HASH_SIZE: Final = 32
MAX_SIZE: Final = 1 << 62

_sha256 = hashlib.sha256


class TreeProofRejected(Invalid):
    """A proof does not show what it claims; `step` is the step of RFC 9162 that failed."""

    code = "tree_proof_rejected"

    def __init__(self, hint: str, *, step: int) -> None:
        super().__init__(hint)
        self.step = step


def leaf_hash(entry: bytes) -> Hash:
    """H(0x00 ‖ entry): can't be taken for an interior node (RFC 9162 §2.1.1)."""
    return _sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[Hash]:
    """The leaf hash of each entry."""
    return [_sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: Hash, right: Hash) -> Hash:
    """H(0x01 ‖ left ‖ right) (RFC 9162 §2.1.1)."""
    return _sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: one peak per set bit of `size`, highest level first.

    Costs one leaf hash and, on average, one node hash per leaf; holds at most 62 hashes.
    """

    size: int = 0
    peaks: list[Hash] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.peaks) != self.size.bit_count():
            raise Invalid(
                f"a tree of {self.size} leaves has {self.size.bit_count()} peaks, not {len(self.peaks)}"
            )

    def copy(self) -> "Frontier":
        """An independent frontier of the same tree."""
        return Frontier(self.size, list(self.peaks))

    def append(self, leaf: Hash) -> list[tuple[int, int, Hash]]:
        """Add one leaf hash; returns the newly complete nodes as (level, index, hash), leaf first."""
        level, index, node = 0, self.size, leaf
        complete = [(level, index, node)]
        while index & 1:
            node = node_hash(self.peaks.pop(), node)
            level, index = level + 1, index >> 1
            complete.append((level, index, node))
        self.peaks.append(node)
        self.size += 1
        return complete

    def extend(self, leaves: Sequence[Hash]) -> list[list[Hash]]:
        """Add many leaf hashes at once; item k of the result lists the newly complete nodes of level k,
        consecutive from index `size_before >> k`. Same tree as `append` in turn, in half the time.
        """
        old, kept = self._by_level(), []
        complete: list[list[Hash]] = []
        fresh = list(leaves)
        while fresh or old:
            level = len(complete)
            complete.append(fresh)
            row = [old.pop(level), *fresh] if level in old else fresh
            if len(row) & 1:
                kept.append(row[-1])
            pairs = iter(row)
            fresh = [
                _sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)
            ]
        self.peaks = kept[::-1]
        self.size += len(leaves)
        return complete

    def root(self) -> Hash:
        """MTH of all leaves so far (RFC 9162 §2.1.1)."""
        return fold_peaks(self.peaks)

    def _by_level(self) -> dict[int, Hash]:
        levels = [level for level in range(self.size.bit_length(), -1, -1) if self.size >> level & 1]
        return dict(zip(levels, self.peaks, strict=True))


def fold_peaks(peaks: Sequence[Hash]) -> Hash:
    """The root above complete subtrees, given highest level first; `EMPTY_ROOT` of none."""
    if not peaks:
        return EMPTY_ROOT
    node = peaks[-1]
    for left in reversed(peaks[:-1]):
        node = node_hash(left, node)
    return node


def root_at(size: int, fetch: FetchNode) -> Hash:
    """MTH of the first `size` leaves."""
    return EMPTY_ROOT if size == 0 else _range_hash(0, size, fetch)


def inclusion_proof(index: int, size: int, fetch: FetchNode) -> list[Hash]:
    """PATH(index, D[size]): what joins leaf `index` to the root of `size` leaves (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < size:
        raise Invalid(f"index `{index}` is outside a tree of {size} leaves")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, fetch))
            high = middle
        else:
            path.append(_range_hash(low, middle, fetch))
            low = middle
    return path[::-1]


def consistency_proof(first: int, second: int, fetch: FetchNode) -> list[Hash]:
    """PROOF(first, D[second]): that the older tree is a prefix of the newer (RFC 9162 §2.1.4.1)."""
    if not 0 <= first <= second:
        raise Invalid(f"a tree of {first} leaves can't be a prefix of one of {second}")
    if first in {0, second}:
        return []
    path, low, high, whole = [], 0, second, True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(_range_hash(middle, high, fetch))
            high = middle
        else:
            path.append(_range_hash(low, middle, fetch))
            low, whole = middle, False
    if not whole:
        path.append(_range_hash(low, high, fetch))
    return path[::-1]


def verify_inclusion(leaf: Hash, *, index: int, size: int, proof: Sequence[Hash], root: Hash) -> None:
    """Prove that `leaf` stands at `index` of the tree of `size` leaves under `root` (RFC 9162 §2.1.3.2).

    Raises `TreeProofRejected` with the step that failed: wrong index, surplus or missing node, another root.
    The caller MUST have `size` and `root` from a checkpoint that it trusts.
    """
    # (1) The index lies inside the tree.
    if not 0 <= index < size <= MAX_SIZE:
        raise TreeProofRejected(f"index `{index}` is outside {size} leaves", step=1)
    _check_hashes(proof, step=1)
    # (2) and (3): start at the leaf.
    fn, sn, node = index, size - 1, leaf
    # (4) Walk up; a surplus node finds sn = 0.
    for sibling in proof:
        if sn == 0:
            raise TreeProofRejected(f"proof has a node too many for a tree of {size} leaves", step=4)
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    # (5) At the top, and equal.
    if sn != 0:
        raise TreeProofRejected(f"proof has too few nodes for a tree of {size} leaves", step=5)
    if not same_bytes(node, root):
        raise TreeProofRejected(f"leaf is not entry `{index}` of the tree under this root", step=5)


def verify_consistency(
    *, first: int, second: int, proof: Sequence[Hash], first_root: Hash, second_root: Hash
) -> None:
    """Prove that the tree of `first` leaves is a prefix of that of `second` (RFC 9162 §2.1.4.2).

    Equal sizes and size 0 take an empty proof and nothing else. Raises `TreeProofRejected` with the step.
    """
    if not 0 <= first <= second <= MAX_SIZE:
        raise TreeProofRejected(f"a tree of {first} leaves can't be a prefix of one of {second}", step=1)
    if first in {0, second}:
        _verify_trivial(first, second, proof, first_root, second_root)
        return
    # (1) A path exists.
    if not proof:
        raise TreeProofRejected("proof is empty", step=1)
    _check_hashes(proof, step=1)
    # (2) A complete older tree is itself the first node.
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    # (3) and (4): skip what both trees share.
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old, new, sn = _rebuild_both(path, fn, sn)
    # (7) All nodes used, both roots met.
    if sn != 0:
        raise TreeProofRejected("proof has too few nodes", step=7)
    if not (same_bytes(old, first_root) and same_bytes(new, second_root)):
        raise TreeProofRejected(f"the tree of {first} leaves is not a prefix of that of {second}", step=7)


def _rebuild_both(path: Sequence[Hash], fn: int, sn: int) -> tuple[Hash, Hash, int]:
    """Steps 5 and 6: both roots from the same nodes, and what is left of `sn`."""
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise TreeProofRejected("proof has a node too many", step=6)
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return old, new, sn


def _verify_trivial(
    first: int, second: int, proof: Sequence[Hash], first_root: Hash, second_root: Hash
) -> None:
    if proof:
        raise TreeProofRejected("proof between these sizes must be empty", step=1)
    if first == 0 and not same_bytes(first_root, EMPTY_ROOT):
        raise TreeProofRejected("a tree of no leaves has one root, and this is another", step=7)
    if first == second and not same_bytes(first_root, second_root):
        raise TreeProofRejected(f"two roots for one size of {first} leaves", step=7)


def _check_hashes(proof: Sequence[Hash], *, step: int) -> None:
    if any(len(node) != HASH_SIZE for node in proof):
        raise TreeProofRejected(f"a node of a proof has {HASH_SIZE} bytes", step=step)


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 9162 §2.1.1)."""
    return 1 << (count - 1).bit_length() - 1


def _range_hash(low: int, high: int, fetch: FetchNode) -> Hash:
    """MTH(D[low:high]) where `low` is a multiple of the largest complete subtree in it."""
    peaks = []
    while low < high:
        level = (high - low).bit_length() - 1
        peaks.append(fetch(level, low >> level))
        low += 1 << level
    return fold_peaks(peaks)
