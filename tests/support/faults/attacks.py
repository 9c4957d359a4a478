"""Somebody with the store's file in hands: nine ways to alter it, with and without a checkpoint.

With a checkpoint kept outside, ``crmtrail verify --against`` has to notice every one. Without any,
nobody can notice those that leave a store behind that is consistent in itself; what lies after the
newest checkpoint, neither. Both are counted, too, because both are promised no more than that.
"""

import contextlib
import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapshot.auditor import verify as auditor
from support.cli import Folder
from support.faults.flips import VERIFY_FAILED
from support.faults.tally import Row
from support.tampering import ATTACKS, NEEDS_A_CHECKPOINT, Intruder, lived, work_a_day

OUTSIDE = "a checkpoint lies outside"
NOTHING = "no checkpoint anywhere"
LATER = "after the newest checkpoint"

_CONFIG = """\
store: {{url: "sqlite:///{folder}/crmtrail.db"}}
ledger:
  origin: acme.example/crmtrail
  anchors: [{{kind: file, path: {folder}/outside}}]
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One attack by one intruder, in one of the three situations."""

    attack: str
    seed: int
    situation: str


def cases(each: int) -> list[Case]:
    """Return so many cases of each attack, in each situation that it fits."""
    found = [
        Case(attack, seed, situation)
        for attack in ATTACKS
        for situation in (OUTSIDE, NOTHING)
        for seed in range(each)
    ]
    return found + [Case("rewrite_a_value", seed, LATER) for seed in range(each)]


class Bench:
    """A store with a past and an anchored checkpoint, laid out again for every attack."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self._folder = Folder(path, _CONFIG.format(folder=path))
        self._store = path / "crmtrail.db"
        self._outside = path / "outside"
        self._past = lived(self._store)
        self._told("anchor")
        self._anchored = self._store.read_bytes()
        self._key = self._told("key")["current"]
        self._size: int = self._told("checkpoint")["size"]

    def run(self, case: Case) -> Row:
        """Let the intruder in, and say who notices."""
        row = Row(f"tampering: {case.attack.replace('_', ' ')}", case.situation)
        self._lay_out(self._anchored)
        first = 0
        if case.situation == LATER:
            work_a_day(self._store, 8)
            first = self._size
        rng = random.Random(case.seed)  # noqa: S311 -- repeatable, nothing here is secret
        ATTACKS[case.attack](Intruder(self._store, self._past, rng, first))
        against = () if case.situation == NOTHING else ("--against", str(self._outside))
        code = self._folder.crmtrail("verify", *against).code  # type: ignore[no-untyped-call]
        noticed = code == VERIFY_FAILED
        problems = [] if code in {0, VERIFY_FAILED} else [f"verify ended with {code}"]
        if noticed is not _should_be(case):
            problems.append("was noticed" if noticed else "was not noticed")
        if case.situation == OUTSIDE and self._audited() != VERIFY_FAILED:
            problems.append("the auditor's own program did not notice it")
        row.add("noticed" if noticed else "cannot be noticed", problems, f"seed {case.seed}")
        return row

    def _told(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = self._folder.ok(*arguments)  # type: ignore[no-untyped-call]
        return found

    def _lay_out(self, content: bytes) -> None:
        for name in ("crmtrail.db-wal", "crmtrail.db-shm"):
            self._store.with_name(name).unlink(missing_ok=True)
        self._store.write_bytes(content)

    def _audited(self) -> int:
        asked = ("--key", self._key, "store", str(self._store), str(self._outside))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return auditor.main(asked)


def _should_be(case: Case) -> bool:
    if case.situation == LATER:
        return False
    return case.situation == OUTSIDE or case.attack not in NEEDS_A_CHECKPOINT
