"""Lines put aside while their sum is not known yet: in memory while few, else in a file.

The file has no name and is readable by this process only; it goes with the spool.
"""

import tempfile
import weakref
from collections.abc import Iterator
from typing import Final

_IN_MEMORY: Final = 4 * 1024 * 1024
"""Bytes kept in memory before a file is used."""


class Spool:
    """Lines, written once in order and read as often as wanted."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- closed by close() or with the object
        self._closing = weakref.finalize(self, self._file.close)

    def add(self, line: bytes) -> None:
        """Put one line aside; it must hold no newline."""
        self._file.write(line + b"\n")

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        for line in self._file:
            yield line.rstrip(b"\n")

    def close(self) -> None:
        """Forget the lines."""
        self._closing()
