"""The file that outlives the process with what a refresh token was exchanged for.

A refresh token that Salesforce rotates is good once. The newest one is written here before the
session that came with it is used, so that neither a crash nor the next start loses it. The session
is kept beside it: with rotation a login ends the session before, so that two processes that each
log in would throw each other out.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from crmtrail.errors import Mistake


class Kept(msgspec.Struct, frozen=True):
    """What the file holds.

    Attributes:
        refresh_token: the newest.
        access_token: of the session that was begun with it; empty where none is known.
        origin: where that session is good.
        of: a digest of what the config said when it was written; empty for a file made by hand.
    """

    refresh_token: str
    access_token: str = ""
    origin: str = ""
    of: str = ""

    def __repr__(self) -> str:
        """Return something that tells no secret."""
        return "Kept()"


class TokenFile:
    """One such file. What it is asked for while `held` is safe from other processes."""

    def __init__(self, source: str, path: Path, configured: tuple[str, str, str]) -> None:
        """Take the file's place, and what the config says: address, client id, refresh token."""
        self._what = f"{source}: the refresh token file {path}"
        self._path = path.resolve()
        self._of = sha256("\0".join(configured).encode()).hexdigest()[:16]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes and threads from it; they wait.

        Raises:
            Mistake: its folder cannot be written, so that a new token could not be kept.
        """
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Mistake(
                f"{self._what} cannot be locked: {error.strerror}",
                hint=f"crmtrail must be able to write in the folder {self._path.parent}",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # which gives up the lock

    def read(self) -> Kept | None:
        """Return what it holds; None where there is none, or the config has another token since.

        Raises:
            Mistake: it cannot be read, or holds something else.
        """
        try:
            text = self._path.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Mistake(f"{self._what} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self._odd() from None
        kept = self._parsed(text)
        return None if kept is not None and kept.of not in ("", self._of) else kept

    def _parsed(self, text: str) -> Kept | None:
        if not text:
            return None
        try:
            kept = msgspec.json.decode(text, type=Kept) if text.startswith("{") else Kept(text)
        except msgspec.MsgspecError:
            raise self._odd() from None
        told = kept.refresh_token + kept.access_token
        if not kept.refresh_token or not told.isprintable() or " " in told:
            raise self._odd()
        return kept

    def write(self, refresh_token: str, access_token: str, origin: str) -> None:
        """Put the newest in its place, for its owner alone; after a crash it is the old or the new.

        Raises:
            OSError: it cannot be written.
        """
        kept = Kept(refresh_token, access_token, origin, self._of)
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(kept) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _odd(self) -> Mistake:
        return Mistake(
            f"{self._what} holds no refresh token",
            hint="put one line with the token in it, or remove the file to use the config's",
        )
