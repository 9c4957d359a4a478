"""Proofs as files: that an entry is in the ledger, and that the ledger only grew. Pure.

An inclusion proof is a C2SP tlog-proof, version 1 (https://c2sp.org/tlog-proof). Its ``extra`` line
holds the entry itself, so that the file needs nothing beside it. A growth proof is written like the
``add-checkpoint`` request of https://c2sp.org/tlog-witness: the old size, the hashes of RFC 6962,
section 2.1.2, and the newer checkpoint.
"""

from dataclasses import dataclass
from typing import Final, Self

from snapshot.ledger import leaf_hash, proves_consistency, proves_inclusion
from snapshot.notes import BadNote, Head, Note, base64, hashes_of, unbase64

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That ``entry`` is leaf ``index`` of the log whose checkpoint is ``note``."""

    index: int
    entry: bytes
    hashes: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a tlog-proof that carries its entry.

        Raises:
            BadNote: it is written otherwise, or carries none.
        """
        lines, note = _parts(text)
        if lines[0] != FIRST_LINE:
            raise BadNote(f"a proof begins with {FIRST_LINE}")
        if len(lines) < len(("first", "extra", "index")) or not lines[1].startswith("extra "):
            raise BadNote("the proof carries no entry")
        entry = unbase64(lines[1].removeprefix("extra "))
        return cls(_numbered("index", lines[2]), entry, hashes_of(lines[3:]), note)

    def __str__(self) -> str:
        head = (FIRST_LINE, f"extra {base64(self.entry)}", f"index {self.index}")
        return "\n".join((*head, *map(base64, self.hashes), "", self.note))

    def leads_to(self, head: Head) -> bool:
        """Return whether the entry is in the log of a head."""
        leaf = leaf_hash(self.entry)
        return proves_inclusion(leaf, self.index, head.size, self.hashes, head.root)


@dataclass(frozen=True, slots=True)
class Growth:
    """That the log whose checkpoint is ``note`` begins with the ``size`` leaves it had before."""

    size: int
    hashes: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a growth proof.

        Raises:
            BadNote: it is written otherwise.
        """
        lines, note = _parts(text)
        return cls(_numbered("old", lines[0]), hashes_of(lines[1:]), note)

    def __str__(self) -> str:
        return "\n".join((f"old {self.size}", *map(base64, self.hashes), "", self.note))

    def leads(self, old: Head, new: Head) -> bool:
        """Return whether the proof leads from one head to another."""
        if old.size == 0:
            return not self.hashes
        return old.size == self.size and proves_consistency(
            old.size, new.size, self.hashes, old.root, new.root
        )


def head_of(note: str) -> Head:
    """Return what a checkpoint says, signatures unseen.

    Raises:
        BadNote: it is none.
    """
    return Head.parse(Note.parse(note).text)


def _parts(text: str) -> tuple[list[str], str]:
    before, blank, note = text.partition("\n\n")
    if not blank:
        raise BadNote("a proof is lines, a blank line, and a checkpoint")
    return before.split("\n"), note


def _numbered(word: str, line: str) -> int:
    name, _, number = line.partition(" ")
    if name != word or not (number.isascii() and number.isdecimal()) or str(int(number)) != number:
        raise BadNote(f"{line[:40]!r} is not {word} and a number")
    return int(number)
