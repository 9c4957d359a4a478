"""Anchor in a git repository: each checkpoint is one commit, made with the git command.

One file for each ledger holds its newest checkpoint; git's history holds the older ones. Only that
file is committed, whatever else is staged or changed in the repository.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Final

from crmtrail.anchor_config import GitAnchor
from crmtrail.errors import AnchorFailed
from snapshot.anchors.sink import Means
from snapshot.proofs import head_of

_TIMEOUT_S: Final = 60
_NOBODY: Final = {
    "GIT_AUTHOR_NAME": "crmtrail",
    "GIT_AUTHOR_EMAIL": "crmtrail@localhost",
    "GIT_COMMITTER_NAME": "crmtrail",
    "GIT_COMMITTER_EMAIL": "crmtrail@localhost",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitSink:
    """`snapshot.anchors.sink.Sink` over the top folder of a git repository with files in it."""

    readable = True

    def __init__(self, settings: GitAnchor, means: Means) -> None:
        del means
        self._path = settings.path
        self._remote = settings.remote
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return the checkpoint of a log that the newest commit holds.

        Raises:
            AnchorFailed: this is no such repository, or git is missing.
        """
        top = self._git("rev-parse", "--show-toplevel").strip()
        if os.path.realpath(top) != os.path.realpath(self._path):
            raise AnchorFailed(
                f"{self._path} is no git repository of its own", hint=f"git init {self._path}"
            )
        if not self._git("ls-files", "--", file_of(origin)):
            return None
        if self._run("rev-parse", "--verify", "--quiet", "HEAD").returncode:
            return None  # nothing was ever committed
        shown = self._run("show", f"HEAD:{file_of(origin)}")
        return None if shown.returncode else shown.stdout

    def held(self, origin: str) -> Iterator[str]:
        """Yield the checkpoint of each commit of this branch that has one, oldest first.

        Raises:
            AnchorFailed: this is no such repository, or git is missing.
        """
        if self.newest(origin) is None:
            return
        name = file_of(origin)
        commits = self._git("rev-list", "--reverse", "HEAD", "--", name).split()
        asked = "".join(f"{commit}:{name}\n" for commit in commits)
        yield from _contents(self._git("cat-file", "--batch", given=asked).encode())

    def send(self, note: str, origin: str) -> None:
        """Commit a checkpoint, and push it where a remote is named. Durable on return.

        Raises:
            AnchorFailed: git refused, was too slow, or is missing.
        """
        name = file_of(origin)
        if self.newest(origin) != note:
            try:
                (self._path / name).write_text(note, encoding="utf-8")
            except OSError as error:
                raise AnchorFailed(
                    f"{self._path / name} cannot be written: {error.strerror}"
                ) from error
            self._git("add", "--force", "--", name)
            title = f"{origin}: {head_of(note).size} entries"
            self._git("commit", "--quiet", "--only", "--message", title, "--", name)
        if self._remote:
            # Not only what was committed now: an earlier push may have failed.
            self._git("push", "--quiet", self._remote, "HEAD")

    def _git(self, *arguments: str, given: str = "") -> str:
        done = self._run(*arguments, given=given)
        if done.returncode:
            said = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
            raise AnchorFailed(
                f"git {arguments[0]} in {self._path} failed: {said}",
                hint="the path has to be the top folder of a git repository with files in it",
            )
        return done.stdout

    def _run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        # A GIT_DIR of whoever started us would lead into another repository.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        try:
            return subprocess.run(  # noqa: S603 -- fixed words, our own path, no shell
                ["git", "-C", str(self._path), "-c", "core.fsync=all", *arguments],  # noqa: S607 -- the git of the user's PATH is meant
                env=inherited | _NOBODY,
                input=given,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            raise AnchorFailed("the git command is not installed", hint="install git") from None
        except subprocess.TimeoutExpired:
            raise AnchorFailed(
                f"git {arguments[0]} in {self._path} took longer than {_TIMEOUT_S} s"
            ) from None


def _contents(told: bytes) -> Iterator[str]:
    """Read what ``git cat-file --batch`` tells: a line with the size, the bytes, a line's end."""
    while told:
        head, _, rest = told.partition(b"\n")
        *_, kind, size = head.split(b" ")
        if kind != b"blob":  # the commit took the file away: "... missing"
            told = rest
            continue
        yield rest[: int(size)].decode()
        told = rest[int(size) + 1 :]


def file_of(origin: str) -> str:
    """Return the name of the file that holds a log's checkpoint."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", origin).lstrip(".-") + ".checkpoint"
