"""A file that holds a secret: yours alone, there whole or not at all."""

import os
import secrets
import stat
from pathlib import Path

from crmtrail.errors import Mistake

_OTHERS = 0o077


def is_private(path: Path) -> bool:
    """Return whether nobody but its owner may read or write a file."""
    return not stat.S_IMODE(path.stat().st_mode) & _OTHERS


def read_private(path: Path, what: str) -> bytes:
    """Return what a file holds.

    Args:
        path: the file.
        what: what it is, for errors.

    Raises:
        Mistake: it cannot be read, or others can read it too.
    """
    try:
        if not is_private(path):
            raise Mistake(f"{what} {path} can be read by others", hint=f"chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise Mistake(f"{what} {path} cannot be read: {error.strerror}") from error


def write_first(path: Path, text: str, what: str, *, setting: str = "the path") -> None:
    """Write a file where there is none; one that somebody else was faster to write stays.

    ``setting`` names where the path is set, for errors.

    Raises:
        Mistake: it cannot be written.
    """
    try:
        draft = _draft(path, text)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, what, setting, error) from error


def replace(path: Path, text: str, what: str, *, setting: str = "the path") -> None:
    """Put a text in a file's place; after a crash it is the old one or the new one.

    ``setting`` names where the path is set, for errors.

    Raises:
        Mistake: it cannot be written.
    """
    try:
        draft = _draft(path, text)
        try:
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, what, setting, error) from error


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, what: str, setting: str, error: OSError) -> Mistake:
    return Mistake(
        f"{what} {path} cannot be written: {error.strerror}",
        hint=f"check {setting}, its folder and the permissions",
    )
