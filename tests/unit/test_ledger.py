"""The tree of RFC 6962 against known vectors and against its definition."""

import pytest

from snapshot.ledger import (
    Frontier,
    append,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peak_places,
    proves_consistency,
    proves_inclusion,
    root_at,
)

# The eight inputs and roots that the Certificate Transparency projects test their trees with.
INPUTS = [
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
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
SIZES = 40
ENTRIES = [str(n).encode() for n in range(SIZES)]


class Tree:
    """A tree with its stored nodes."""

    def __init__(self, entries):
        self.entries = entries
        self.frontier = Frontier()
        self.nodes = {}

    def grow(self, size):
        fresh = [leaf_hash(e) for e in self.entries[self.frontier.size : size]]
        self.frontier, made = append(self.frontier, fresh)
        for level, idx, found in made:
            assert (level, idx) not in self.nodes, "a full subtree never changes"
            self.nodes[level, idx] = found
        return self

    def node_at(self, level, idx):
        return self.nodes[level, idx] if level else leaf_hash(self.entries[idx])


def defined_root(entries):
    """The root as section 2.1 of the RFC defines it."""
    if len(entries) == 1:
        return leaf_hash(entries[0])
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return node_hash(defined_root(entries[:split]), defined_root(entries[split:]))


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_known_roots(size):
    tree = Tree(INPUTS).grow(size)
    assert tree.frontier.root().hex() == ROOTS[size]
    assert root_at(size, tree.node_at).hex() == ROOTS[size]


def test_a_known_audit_path():
    # RFC 6962, section 2.1.3: of seven leaves, the path of d0 is [b, h, l].
    tree = Tree(INPUTS[:7]).grow(7)
    b, h = leaf_hash(INPUTS[1]), tree.node_at(1, 1)
    right = node_hash(tree.node_at(1, 2), leaf_hash(INPUTS[6]))
    assert inclusion_proof(0, 7, tree.node_at) == [b, h, right]
    assert inclusion_proof(6, 7, tree.node_at) == [tree.node_at(1, 2), tree.node_at(2, 0)]


def test_a_known_consistency_proof():
    # RFC 6962, section 2.1.3: from 3 to 7 leaves it is [c, d, g, l].
    tree = Tree(INPUTS[:7]).grow(7)
    c, d = leaf_hash(INPUTS[2]), leaf_hash(INPUTS[3])
    right = node_hash(tree.node_at(1, 2), leaf_hash(INPUTS[6]))
    assert consistency_proof(3, 7, tree.node_at) == [c, d, tree.node_at(1, 0), right]
    assert consistency_proof(4, 7, tree.node_at) == [right]


@pytest.mark.parametrize("steps", [[1], [2], [3, 1], [7], [1, 5, 2], [SIZES]])
def test_however_it_grew_the_tree_is_the_defined_one(steps):
    tree, turn = Tree(ENTRIES), 0
    while tree.frontier.size < SIZES:
        size = min(tree.frontier.size + steps[turn % len(steps)], SIZES)
        tree.grow(size)
        turn += 1
        assert tree.frontier.root() == defined_root(ENTRIES[:size])
        assert len(tree.frontier.peaks) == len(peak_places(size)) == size.bit_count()


def test_every_inclusion_proof_holds_and_no_other_entry_passes():
    tree = Tree(ENTRIES).grow(SIZES)
    for size in range(1, SIZES + 1):
        root = root_at(size, tree.node_at)
        for index in range(size):
            proof = inclusion_proof(index, size, tree.node_at)
            leaf = leaf_hash(ENTRIES[index])
            assert proves_inclusion(leaf, index, size, proof, root)
            assert not proves_inclusion(leaf_hash(b"forged"), index, size, proof, root)
            assert not proves_inclusion(leaf, index, size, [*proof, leaf], root)
            if size > 1:
                assert not proves_inclusion(leaf, (index + 1) % size, size, proof, root)
                assert not proves_inclusion(leaf, index, size, proof[:-1], root)
            assert not proves_inclusion(leaf, size, size, proof, root)


def test_every_consistency_proof_holds_and_no_rewritten_past_passes():
    tree = Tree(ENTRIES).grow(SIZES)
    forged = Tree([b"forged", *ENTRIES[1:]]).grow(SIZES)
    for second in range(1, SIZES + 1):
        after = root_at(second, tree.node_at)
        for first in range(1, second + 1):
            proof = consistency_proof(first, second, tree.node_at)
            before = root_at(first, tree.node_at)
            assert proves_consistency(first, second, proof, before, after)
            rewritten = root_at(first, forged.node_at)
            assert not proves_consistency(first, second, proof, rewritten, after)
            assert not proves_consistency(first, second, [*proof, before], before, after)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_what_is_not_there(index, size):
    with pytest.raises(ValueError, match="no entry"):
        inclusion_proof(index, size, Tree(ENTRIES).grow(3).node_at)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (3, 2)])
def test_there_is_no_proof_between_sizes_out_of_order(first, second):
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(first, second, Tree(ENTRIES).grow(3).node_at)
    assert not proves_consistency(first, second, [], b"", b"")
