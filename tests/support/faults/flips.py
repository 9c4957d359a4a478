"""Bits of the store's file that turn over by themselves, one at a time.

`crmtrail verify` has to notice each, or the bit was in bytes that hold nothing: then every row of
every table is as before, and SQLite finds nothing wrong with the file, its indexes included. One
column is no evidence and is counted apart: when a record was last looked at, which every look
writes anew.
"""

import contextlib
import io
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from crmtrail.cli.main import run
from snapshot.database import DRIVER
from support.faults.calls import is_told
from support.faults.tally import Row
from support.faults.victim import Ended, Place

FAMILY = "a bit of the store's file turns over"
VERIFY_FAILED = 5

Cells: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Bench:
    """A store to be damaged: ``whole`` is its file as it was."""

    folder: Path
    whole: bytes

    def cases(self, count: int) -> list[int]:
        """Return so many bits of the file, drawn evenly."""
        return random.Random("flips").sample(range(len(self.whole) * 8), count)  # noqa: S311 -- repeatable

    def run(self, bit: int) -> Row:
        """Turn one bit over, verify, and say who noticed."""
        row = Row(FAMILY, "one bit")
        place = Place(self.folder / f"flips-{os.getpid()}")
        place.lay_out()
        damaged = bytearray(self.whole)
        damaged[bit // 8] ^= 1 << bit % 8
        for left in place.store.iterdir():
            left.unlink()
        place.file.write_bytes(damaged)
        place.file.chmod(0o600)
        ended = verified(place)
        problems: list[str] = []
        if ended.code == VERIFY_FAILED:
            outcome = "noticed by verify"
        elif ended.code:
            outcome = "refused in one line"
            if not is_told(ended):
                problems.append(str(ended))
        else:
            outcome = "in bytes that hold nothing"
            problems += self._unnoticed(place.file)
            if problems and all(_of_the_last_look(problem) for problem in problems):
                outcome, problems = "in the time of a last look", []
        row.add(outcome, problems, f"bit {bit % 8} of byte {bit // 8}")
        return row

    def _unnoticed(self, damaged: Path) -> Iterator[str]:
        with closing(DRIVER.connect(str(damaged))) as connection:
            try:
                sound = connection.execute("PRAGMA integrity_check").fetchall()
                rows = _rows(connection)
            except DRIVER.DatabaseError as error:
                yield f"not noticed, and SQLite says: {error}"
                return
        if sound != [("ok",)]:
            yield f"not noticed, and integrity_check says: {sound[:2]}"
        for table in sorted(self._rows.keys() | rows.keys()):
            old, new = self._rows.get(table, Counter()), rows.get(table, Counter())
            if old != new:
                yield f"not noticed in {table}: {_difference(old - new, new - old)}"

    @cached_property
    def _rows(self) -> dict[str, Counter[Cells]]:
        path = self.folder / f"whole-{os.getpid()}.db"
        path.write_bytes(self.whole)
        with closing(DRIVER.connect(str(path))) as connection:
            return _rows(connection)


def _of_the_last_look(problem: str) -> bool:
    """Whether nothing changed but ``record.known_at``."""
    return problem.startswith("not noticed in record: cell 7: ") and problem.count("cell") == 1


def _rows(connection: Any) -> dict[str, Counter[Cells]]:
    """Return every row of every table, those that say how the tables are made among them."""
    made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    found = {"sqlite_master": Counter(made)}
    for kind, name, *_ in made:
        if kind == "table":
            found[name] = Counter(connection.execute(f'SELECT * FROM "{name}"').fetchall())  # noqa: S608 -- a name of ours
    return found


def _difference(gone: Counter[Cells], come: Counter[Cells]) -> str:
    """Say which cells of the first row that changed are others now."""
    for old, new in zip(gone, come, strict=False):
        cells = [
            (no, *both) for no, both in enumerate(zip(old, new, strict=True)) if len(set(both)) > 1
        ]
        return ", ".join(f"cell {no}: {was!r} is {now!r}" for no, was, now in cells)
    return f"{len(gone)} rows gone, {len(come)} come"


def verified(place: Place, *arguments: str) -> Ended:
    """Run ``crmtrail verify`` in this process."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = run(["--config", str(place.config), "--json", "verify", *arguments])
    return Ended(code, err.getvalue())
