"""Files that are there whole or not at all: written beside their place, then moved into it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crmtrail.errors import Mistake


def check(path: Path, *, force: bool = False) -> None:
    """See that a file may be made at a path.

    Raises:
        Mistake: there is one already and ``force`` is not given, or it can never be there.
    """
    if path.is_dir():
        raise Mistake(f"{path} is a folder", hint="name the file in it")
    if not path.parent.is_dir():
        raise Mistake(f"there is no folder {path.parent}", hint="make it first")
    if not force and os.path.lexists(path):
        raise _taken(path)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give the path of a new empty file in the same folder; what is left of it goes at the end.

    Only the owner can read it, for it holds what the CRM holds.

    Raises:
        Mistake: the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise Mistake(
            f"{path.parent} cannot be written to: {error.strerror}", hint="choose another folder"
        ) from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def land(part: Path, path: Path, *, force: bool = False) -> None:
    """Move a finished file into its place, in one step and durably.

    Raises:
        Mistake: a file has appeared there meanwhile, and ``force`` is not given.
    """
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if force:
        part.replace(path)
    else:
        _settle(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _settle(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without hard links
        check(path)
        part.rename(path)


def _taken(path: Path) -> Mistake:
    return Mistake(f"{path} exists already", hint="name another file, or say --force")
