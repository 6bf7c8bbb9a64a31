"""RFC 9162 §2.1: roots and proofs, against published vectors and a second implementation."""

import hashlib
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, InvalidProof
from pymerkle import verify_consistency as peer_consistency
from pymerkle import verify_inclusion as peer_inclusion
from pymerkle.proof import MerkleProof

from remit.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    TreeProofRejected,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

VECTOR_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]  # the roots that the Certificate Transparency implementations test against

SIZE = 130


class Grown:
    """A tree with every node kept."""

    def __init__(self, entries: list[bytes]) -> None:
        self.leaves = [leaf_hash(entry) for entry in entries]
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        for leaf in self.leaves:
            for level, index, node in frontier.append(leaf):
                self.nodes[level, index] = node

    def fetch(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def root(self, size: int) -> bytes:
        return root_at(size, self.fetch)


ENTRIES = [f"entry {number}".encode() for number in range(SIZE)]
TREE = Grown(ENTRIES)


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH as the definition has it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(slow_root(leaves[:split]), slow_root(leaves[split:]))


@pytest.mark.spec("RFC 9162", "2.1.1")
@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    frontier = Frontier()
    frontier.extend([leaf_hash(leaf) for leaf in VECTOR_LEAVES[:size]])
    assert frontier.root().hex() == VECTOR_ROOTS[size - 1]


@pytest.mark.spec("RFC 9162", "2.1.1")
def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.spec("RFC 9162", "2.1.1")
@given(st.integers(0, 70), st.integers(0, 70))
def test_growing_at_once_is_growing_in_turn(before: int, after: int) -> None:
    at_once, in_turn = Frontier(), Frontier()
    at_once.extend(TREE.leaves[:before])
    fresh = at_once.extend(TREE.leaves[before : before + after])
    for leaf in TREE.leaves[: before + after]:
        in_turn.append(leaf)
    assert at_once == in_turn
    assert at_once.root() == slow_root(TREE.leaves[: before + after])
    for level, row in enumerate(fresh):
        for place, node in enumerate(row):
            assert TREE.nodes[level, (before >> level) + place] == node


@pytest.mark.spec("RFC 9162", "2.1.3.1", "2.1.3.2")
def test_every_inclusion_proof_verifies_and_proves_only_its_own_place() -> None:
    for size in range(1, 40):
        root = TREE.root(size)
        for index in range(size):
            proof = inclusion_proof(index, size, TREE.fetch)
            verify_inclusion(TREE.leaves[index], index=index, size=size, proof=proof, root=root)
            for other in range(size + 2):
                if other != index:
                    with pytest.raises(TreeProofRejected):
                        verify_inclusion(TREE.leaves[index], index=other, size=size, proof=proof, root=root)


@pytest.mark.spec("RFC 9162", "2.1.4.1", "2.1.4.2")
def test_every_consistency_proof_verifies_for_its_own_roots_only() -> None:
    for second in range(1, 40):
        for first in range(second + 1):
            proof = consistency_proof(first, second, TREE.fetch)
            roots = {"first_root": TREE.root(first), "second_root": TREE.root(second)}
            verify_consistency(first=first, second=second, proof=proof, **roots)
            with pytest.raises(TreeProofRejected):
                verify_consistency(
                    first=first,
                    second=second,
                    proof=proof,
                    first_root=b"\x00" * 32,
                    second_root=TREE.root(second),
                )
            if first:
                with pytest.raises(TreeProofRejected):
                    verify_consistency(
                        first=first,
                        second=second,
                        proof=proof,
                        first_root=TREE.root(first),
                        second_root=b"\x00" * 32,
                    )


@pytest.mark.spec("RFC 9162", "2.1.3.2")
@pytest.mark.parametrize(
    ("spoil", "step"),
    [
        (lambda proof: proof[:-1], 5),
        (lambda proof: [*proof, b"\x01" * 32], 4),
        (lambda proof: [b"\x01" * 32, *proof], 4),
        (lambda proof: [proof[0][:31], *proof[1:]], 1),
        (lambda proof: [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]], 5),
        (lambda proof: proof[::-1], 5),
    ],
    ids=["missing", "surplus", "surplus-first", "short", "bit", "reversed"],
)
def test_a_spoilt_inclusion_proof_is_refused(spoil: Callable[[list[bytes]], list[bytes]], step: int) -> None:
    proof = spoil(inclusion_proof(37, 100, TREE.fetch))
    with pytest.raises(TreeProofRejected) as refused:
        verify_inclusion(TREE.leaves[37], index=37, size=100, proof=proof, root=TREE.root(100))
    assert refused.value.step == step


@pytest.mark.spec("RFC 9162", "2.1.3.2")
@pytest.mark.parametrize(("index", "size"), [(100, 100), (-1, 100), (0, 0), (1 << 63, 1 << 64)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(TreeProofRejected) as refused:
        verify_inclusion(TREE.leaves[0], index=index, size=size, proof=[], root=TREE.root(100))
    assert refused.value.step == 1


@pytest.mark.spec("RFC 9162", "2.1.4.2")
@pytest.mark.parametrize(
    ("first", "second", "proof"),
    [
        (50, 40, []),
        (50, 50, [b"\x00" * 32]),
        (0, 50, [b"\x00" * 32]),
        (30, 50, []),
        (-1, 50, []),
    ],
    ids=["older-is-larger", "equal-with-proof", "empty-with-proof", "no-proof", "negative"],
)
def test_trivial_sizes_take_exactly_their_trivial_proof(first: int, second: int, proof: list[bytes]) -> None:
    with pytest.raises(TreeProofRejected):
        verify_consistency(
            first=first,
            second=second,
            proof=proof,
            first_root=TREE.root(max(first, 0)),
            second_root=TREE.root(second),
        )


@pytest.mark.spec("RFC 9162", "2.1.4.2")
def test_surplus_and_missing_nodes_are_refused() -> None:
    for first, second in ((3, 7), (4, 8), (6, 50), (64, 100), (1, 2)):
        proof = consistency_proof(first, second, TREE.fetch)
        for spoilt in (proof[:-1], [*proof, b"\x02" * 32], [b"\x02" * 32, *proof]):
            with pytest.raises(TreeProofRejected):
                verify_consistency(
                    first=first,
                    second=second,
                    proof=spoilt,
                    first_root=TREE.root(first),
                    second_root=TREE.root(second),
                )


def test_a_leaf_is_never_an_interior_node() -> None:
    """A second preimage by taking a node's input for a record (RFC 9162 §2.1.1) has another hash."""
    left, right = TREE.leaves[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


def peer_tree(size: int) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES[:size]:
        tree.append_entry(entry)
    return tree


@pytest.mark.spec("RFC 9162", "2.1.1", "2.1.3", "2.1.4")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100, 129])
def test_a_second_implementation_has_the_same_roots_and_believes_the_same_proofs(size: int) -> None:
    peer = peer_tree(size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert peer.get_root(size) == TREE.root(size)
        some = range(0, size, max(1, size // 12))
        for index in some:
            proof = peer.prove_inclusion(index + 1, size)
            peer_inclusion(peer.get_leaf(index + 1), TREE.root(size), proof)
            ours = inclusion_proof(index, size, TREE.fetch)
            assert_same_nodes(proof, [TREE.leaves[index], *ours])
        for first in (index + 1 for index in some):
            peer_consistency(TREE.root(first), TREE.root(size), peer.prove_consistency(first, size))


def assert_same_nodes(proof: MerkleProof, ours: list[bytes]) -> None:
    """The peer's path begins with the leaf itself; then both go up."""
    assert list(proof.path) == ours


def test_the_peer_refuses_what_we_refuse() -> None:
    peer = peer_tree(50)
    with pytest.raises(InvalidProof):
        peer_inclusion(leaf_hash(b"other"), TREE.root(50), peer.prove_inclusion(3, 50))
