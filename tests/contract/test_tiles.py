"""The tree in tiles: whatever its size, it is the tree of RFC 6962, recomputed in plain words."""

from collections.abc import Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256

import pytest
from sqlalchemy import create_engine

from snapshot.database import DRIVER
from snapshot.leaves import HASH, WIDTH, Tiles, frontier_of, grow, hashes_in, size_of
from snapshot.ledger import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    peak_places,
    proves_consistency,
    proves_inclusion,
    subtree,
)
from snapshot.tables import Tile

LEAVES = [leaf_hash(b"%d" % no) for no in range(1_101)]
EDGES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 1_023, 1_024, 1_025, 1_100)
FAR = (65_535, 65_536, 65_537)


@cache
def plain_root(start: int, end: int) -> bytes:
    """RFC 6962, section 2.1, word for word: of leaves from ``start`` up to ``end``."""
    if end - start == 0:
        return sha256(b"").digest()
    if end - start == 1:
        return LEAVES[start]
    half = 1
    while half * 2 < end - start:
        half *= 2
    left, right = plain_root(start, start + half), plain_root(start + half, end)
    return sha256(b"\x01" + left + right).digest()


@contextmanager
def tree():
    """Give a connection to nothing but tiles."""
    engine = create_engine("sqlite://", module=DRIVER)
    try:
        with engine.begin() as connection:
            Tile.__table__.create(connection)
            yield connection
    finally:
        engine.dispose()


def root_of(connection, size: int) -> bytes:
    return frontier_of(connection, size).root()


def test_every_size_up_to_1100_has_the_root_of_the_rfc_and_keeps_it():
    with tree() as connection:
        for size in range(1_101):
            assert size_of(connection) == size
            assert root_of(connection, size) == plain_root(0, size)
            grow(connection, size, LEAVES[size : size + 1])
        for size in range(1_101):
            assert root_of(connection, size) == plain_root(0, size)


@pytest.mark.parametrize("first", EDGES)
@pytest.mark.parametrize("added", [0, 1, 2, 255, 256, 257, 600])
def test_a_batch_of_any_size_grows_it_the_same(first, added):
    with tree() as connection:
        grow(connection, 0, LEAVES[:first])
        grow(connection, first, (LEAVES * 2)[first : first + added])
        size = first + added
        assert size_of(connection) == size
        if size <= len(LEAVES):
            assert root_of(connection, size) == plain_root(0, size)
        rows = connection.exec_driver_sql("SELECT level, idx, length(hashes) FROM tile").all()
        assert {(level, idx): length // HASH for level, idx, length in rows} == expected(size)


def expected(size: int) -> dict[tuple[int, int], int]:
    """How many hashes each tile of a tree of a size has: C2SP tlog-tiles, "Merkle Tree"."""
    tiles, level = {}, 0
    while size:
        for idx in range(-(-size // WIDTH)):
            tiles[level, idx] = min(WIDTH, size - idx * WIDTH)
        size, level = size // WIDTH, level + 1
    return tiles


@pytest.mark.parametrize("size", EDGES[1:])
def test_proofs_are_read_from_tiles(size):
    with tree() as connection:
        grow(connection, 0, LEAVES[:size])
        node_at, root = Tiles(connection).node_at, plain_root(0, size)
        for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
            proof = inclusion_proof(index, size, node_at)
            assert proves_inclusion(LEAVES[index], index, size, proof, root)
            assert not proves_inclusion(LEAVES[index], index, size, proof, plain_root(0, size + 1))
        for before in {1, 2, size // 2, size - 1, size} & set(range(1, size + 1)):
            proof = consistency_proof(before, size, node_at)
            assert proves_consistency(before, size, proof, plain_root(0, before), root)


@pytest.fixture(scope="module")
def far():
    """A tree with a tile on the third level begun, of leaves that are all alike but the last."""
    with tree() as connection:
        grow(connection, 0, [LEAVES[0]] * (FAR[0] - 1))
        yield connection


def alike(size: int) -> bytes:
    """The root over so many leaves that are alike, by doubling: one hash for each level."""
    if size == 1:
        return LEAVES[0]
    half = 1 << (size - 1).bit_length() - 1
    doubled = LEAVES[0]
    for _ in range(half.bit_length() - 1):
        doubled = sha256(b"\x01" + doubled + doubled).digest()
    return sha256(b"\x01" + doubled + alike(size - half)).digest()


def test_the_third_level_of_tiles_begins_where_it_should(far):
    for size in range(FAR[0] - 1, FAR[-1]):
        assert size_of(far) == size
        assert root_of(far, size) == alike(size)
        grow(far, size, [LEAVES[0]])
    levels = far.exec_driver_sql("SELECT level, sum(length(hashes)) FROM tile GROUP BY level").all()
    assert {level: total // HASH for level, total in levels} == {0: FAR[2], 1: 256, 2: 1}
    for size in FAR:
        assert root_of(far, size) == alike(size)
        proof = inclusion_proof(size // 2, size, Tiles(far).node_at)
        assert proves_inclusion(LEAVES[0], size // 2, size, proof, alike(size))


@pytest.mark.parametrize("height", range(9))
@pytest.mark.parametrize("start", [0, 1, 256])
def test_a_full_subtree_is_the_tree_over_its_leaves(height, start):
    width = 1 << height
    assert subtree(LEAVES[start : start + width]) == plain_root(start, start + width)


@pytest.mark.parametrize("size", [*range(66), 255, 256, 257, *FAR])
def test_the_peaks_of_a_size_cover_it_from_left_to_right(size):
    covered = 0
    for level, idx in peak_places(size):
        assert idx << level == covered
        covered += 1 << level
    assert covered == size


def test_a_tree_that_does_not_fit_is_not_grown():
    with tree() as connection:
        grow(connection, 0, LEAVES[:10])
        with pytest.raises(LookupError, match="does not hold 11 hashes"):
            grow(connection, 11, LEAVES[:1])
        with pytest.raises(LookupError, match="has no node"):
            Tiles(connection).node_at(4, 0)


@pytest.mark.parametrize("tile", [b"", bytes(HASH), bytes(range(HASH)) * 3])
def test_a_tile_is_hashes_side_by_side(tile):
    found: Sequence[bytes] = hashes_in(tile)
    assert b"".join(found) == tile
    assert all(len(one) == HASH for one in found)
