"""Anchor in a file: each checkpoint is appended and forced to the disk.

The file is a sequence of signed checkpoints with a blank line behind each. It only ever grows, so
it may lie on storage that forbids anything else (``chattr +a``, a WORM share).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOSPC
from typing import Final

from crmtrail.anchor_config import FileAnchor
from crmtrail.errors import AnchorFailed
from snapshot.anchors.sink import Means
from snapshot.notes import notes_in

_TAIL: Final = 65_536
"""Bytes from the end in which the newest checkpoint is looked for."""


class FileSink:
    """`snapshot.anchors.sink.Sink` over one file. Its folder has to be there already.

    A folder is never made: where the share is not mounted, the file would land on this machine.
    """

    readable = True

    def __init__(self, settings: FileAnchor, means: Means) -> None:
        del means
        self._path = settings.path
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return the newest checkpoint of a log in the file's last 64 KiB.

        Raises:
            AnchorFailed: the file is there, but cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
                file.seek(start)
                tail = file.read(_TAIL).decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AnchorFailed(f"{self._path} cannot be read: {error.strerror}") from error
        mine = [note for _, note in notes_in(tail) if note.startswith(f"{origin}\n")]
        return mine[-1] if mine else None

    def held(self, origin: str) -> Iterator[str]:
        """Yield a log's checkpoints in the order of the file; a torn one comes as it is.

        Raises:
            AnchorFailed: the file is not there, or cannot be read.
        """
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise AnchorFailed(f"{self._path} cannot be read: {error.strerror}") from error
        for _, note in notes_in(text):
            if note.startswith(f"{origin}\n") or "\n\n" not in note:
                yield note

    def send(self, note: str, origin: str) -> None:
        """Append a checkpoint, unless it is the newest already. Durable on return.

        Raises:
            AnchorFailed: it cannot be written; the file is as it was.
        """
        if self.newest(origin) == note:
            return
        try:
            new = not self._path.exists()
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._path, flags, 0o644)
            try:
                _append(descriptor, note)
            finally:
                os.close(descriptor)
            if new:
                self._sync_folder()
        except OSError as error:
            missing = not self._path.parent.is_dir()
            why = "its folder is not there; is it mounted?" if missing else error.strerror
            raise AnchorFailed(f"{self._path} cannot be written: {why}") from error

    def _sync_folder(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _append(descriptor: int, note: str) -> None:
    """Write a note behind a blank line, in one call, so that writers do not mix."""
    size = os.fstat(descriptor).st_size
    end = os.pread(descriptor, 2, max(0, size - 2))
    between = "" if not size or end == b"\n\n" else "\n" if end[-1:] == b"\n" else "\n\n"
    whole = f"{between}{note}\n".encode()
    try:
        _write(descriptor, whole)
    except OSError:
        # A torn checkpoint would be in the way of every later reader. Append-only storage
        # refuses this; then the torn line stays, and the next checkpoint begins on a fresh one.
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _write(descriptor: int, whole: bytes) -> None:
    if os.write(descriptor, whole) < len(whole):
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    os.fsync(descriptor)
