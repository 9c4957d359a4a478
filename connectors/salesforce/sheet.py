"""CSV that comes in pieces, read record by record in constant memory, with a place to go on from.

A log file, or a page of Bulk results, may be larger than memory. The place is counted in bytes of
the content, so that a run that broke off skips what it has read without looking into it.
"""

import csv
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from typing import Final

LONGEST: Final = 1 << 26
"""Bytes of one physical line at most. No column of a log holds as much."""

_LONGEST_VALUE: Final = 1 << 30
_UNFIT: Final = str.maketrans(dict.fromkeys("\x00\x1f", "\ufffd"))
"""What no name can have: see `connectors.decoding.decoded`."""


class Unreadable(Exception):
    """The text is no CSV from some place on."""


class Sheet:
    """The records of one CSV, UTF-8, each a list of texts.

    ``head`` are the names of the columns; there are none where there is no text at all.

    ``place`` is where the next record begins: the number of bytes before it. ``starts`` is where
    this reader began to tell records.
    """

    def __init__(self, pieces: Iterator[bytes], place: int = 0) -> None:
        """Read the head, and go on at a place where an earlier reader of the same CSV stood.

        Raises:
            Unreadable: the head is none, or names a column twice.
        """
        # The reader's limit of 128 KiB a value is less than a long text may have.
        csv.field_size_limit(_LONGEST_VALUE)
        self.place = 0
        self._pieces = pieces
        self._reader = csv.reader(self._lines(), strict=True)
        self._until = 0
        self.head: Sequence[str] = tuple(name.translate(_UNFIT) for name in self._record() or ())
        self._until = self.starts = max(place, self.place)
        if len(set(self.head)) != len(self.head):
            raise Unreadable("its head names a column twice")

    def record(self) -> Sequence[str] | None:
        """Return the next record; None after the last.

        Raises:
            Unreadable: the text is no CSV here, or ends before the place to go on from.
        """
        found = self._record()
        if found is None and self.place < self._until:
            raise Unreadable("it ends before the place up to which it was read")
        return found

    def _record(self) -> Sequence[str] | None:
        try:
            return next((values for values in self._reader if values), None)
        except csv.Error as error:
            raise Unreadable(str(error)) from None

    def _lines(self) -> Iterator[str]:
        """Yield physical lines, each counted before it is told; those before the place are not."""
        for line in _cut(self._pieces):
            begins = self.place
            self.place += len(line)
            if begins >= self._until or begins == 0:
                text = line.removeprefix(BOM_UTF8) if begins == 0 else line
                yield text.decode("utf-8", "replace")


def _cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        whole, end, rest = piece.rpartition(b"\n")
        if end:
            held.append(whole)
            yield from (line + b"\n" for line in b"".join(held).split(b"\n"))
            held, size = [], 0
        held.append(rest)
        size += len(rest)
        if size > LONGEST:
            raise Unreadable(f"a line is longer than {LONGEST} bytes")
    if last := b"".join(held):
        yield last
