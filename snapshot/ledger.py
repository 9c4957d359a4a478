"""The tree of RFC 6962, from leaves that only ever grow in number. Pure.

A *node* at ``(level, idx)`` is the root of the full subtree over the leaves from
``idx * 2**level`` on. Nodes of level 0 are leaf hashes. Full subtrees never change, so they can
be stored; everything else is computed from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import starmap
from typing import Final, TypeAlias

LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = sha256(b"").digest()

NodeAt: TypeAlias = Callable[[int, int], bytes]
"""Gives the hash of a full subtree by level and index."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry (RFC 6962, section 2.1)."""
    return sha256(LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962, section 2.1)."""
    return sha256(NODE_PREFIX + left + right).digest()


def subtree(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a full subtree from its lowest hashes; their number is a power of two."""
    row = hashes
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [sha256(NODE_PREFIX + left + right).digest() for left, right in pairs]
    return row[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The largest full subtrees of a tree, left to right: all that appending needs."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def peak_places(size: int) -> list[tuple[int, int]]:
    """Return level and index of the peaks of a tree, left to right."""
    places = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            places.append((level, start >> level))
            start += 1 << level
    return places


def append(
    frontier: Frontier, leaves: Sequence[bytes]
) -> tuple[Frontier, list[tuple[int, int, bytes]]]:
    """Append leaf hashes; return the new frontier and the inner nodes that became full."""
    peaks = {
        level: peak
        for (level, _), peak in zip(peak_places(frontier.size), frontier.peaks, strict=True)
    }
    made: list[tuple[int, int, bytes]] = []
    level, start, row = 0, frontier.size, list(leaves)
    while row:
        if start & 1:
            row.insert(0, peaks.pop(level))
            start -= 1
        if len(row) & 1:
            peaks[level] = row.pop()
        level, start = level + 1, start >> 1
        row = list(starmap(node_hash, zip(row[::2], row[1::2], strict=True)))
        made.extend((level, start + offset, parent) for offset, parent in enumerate(row))
    ordered = tuple(peaks[level] for level in sorted(peaks, reverse=True))
    return Frontier(frontier.size + len(leaves), ordered), made


def root_at(size: int, node_at: NodeAt) -> bytes:
    """Return the root that the tree had at a size."""
    return _root(0, size, node_at) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """Return the audit path of one leaf (RFC 6962, section 2.1.1).

    Raises:
        ValueError: there is no such leaf in a tree of this size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a ledger of {size} entries has no entry {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_root(middle, end, node_at))
            end = middle
        else:
            path.append(_root(start, middle, node_at))
            start = middle
    return path[::-1]


def consistency_proof(first: int, second: int, node_at: NodeAt) -> list[bytes]:
    """Return the proof that a tree only grew between two sizes (RFC 6962, section 2.1.2).

    Raises:
        ValueError: the sizes are not in order, or the first is 0.
    """
    if not 0 < first <= second:
        raise ValueError(f"no proof leads from {first} to {second} entries")
    proof: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_root(middle, end, node_at))
            end = middle
        else:
            proof.append(_root(start, middle, node_at))
            start, whole = middle, False
    if not whole:
        proof.append(_root(start, end, node_at))
    return proof[::-1]


def proves_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Return whether an audit path leads from a leaf hash to a root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Return whether a proof shows that a tree only grew (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def _root(start: int, end: int, node_at: NodeAt) -> bytes:
    size = end - start
    if not size & (size - 1):
        level = size.bit_length() - 1
        return node_at(level, start >> level)
    middle = start + _split(size)
    return node_hash(_root(start, middle, node_at), _root(middle, end, node_at))
