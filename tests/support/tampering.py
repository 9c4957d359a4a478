"""Somebody with the store's file in hands, who knows how crmtrail works: nine ways to alter it.

`Past` is a small store with copies of earlier days. The intruder takes the triggers away and puts
them back, so nothing but the ledger stands in the way.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from crmtrail.model import Mode
from crmtrail.ports import ignore
from scheduler.lease import SqlLeases
from snapshot.database import connect
from snapshot.engine import open_store
from snapshot.leaves import HASH, grow, size_of
from snapshot.ledger import leaf_hash
from snapshot.sealed import Names, entries
from support.readings import OBJECT, SOURCE, HandClock, at, page, reading

DAYS = 6
PEOPLE = 60
"""So many that the ledger has more than one tile."""
TTL = timedelta(minutes=2)


@dataclass(frozen=True)
class Past:
    """A store's file as it was on each day, the last one being now."""

    days: tuple[bytes, ...]

    @property
    def now(self) -> bytes:
        return self.days[-1]


def lived(path: Path, days: int = DAYS) -> Past:
    """Make a store and let some days of work go by in it."""
    kept = []
    for day in range(days):
        work_a_day(path, day)
        kept.append(path.read_bytes())
    return Past(tuple(kept))


def work_a_day(path: Path, day: int, flavour: str = "") -> None:
    """Sync some new values, and do something that is sealed beside."""
    clock = HandClock(at(day * 86_400))
    with closing(open_store(f"sqlite:///{path}", clock)) as store:
        leases = SqlLeases(store.engine, clock)
        lease = leases.acquire(SOURCE, OBJECT, "here:1:1", TTL)
        assert lease is not None
        run = store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, clock.now())
        read = [
            reading(
                f"003{person}",
                {"Phone": f"{flavour}{day}-{person}", "Fax": f"{person}"},
                modified=day * 86_400 + person,
            )
            for person in range(PEOPLE)
            if day == 0 or person % DAYS != day
        ]
        kept = store.keep(
            page(*read, cursor=f"c{day}"),
            source=SOURCE,
            run=run,
            lease=lease,
            notice=ignore,
        )
        assert kept.read == len(read)
        store.finish(run, state="done", at=clock.now(), api_calls=1)
        store.seal("note", {"day": day, "said": f"{flavour}good night"}, clock.now())
        leases.release(lease)


class Intruder:
    """Alters one file. Every choice is drawn from ``rng``; entries from ``first`` on are chosen."""

    def __init__(self, path: Path, past: Past, rng: random.Random, first: int = 0) -> None:
        self._path = path
        self._past = past
        self._rng = rng
        self._first = first

    # --- nine ways ---------------------------------------------------------------------------

    def edit_an_entry(self) -> None:
        """Say in the ledger that something happened at another time."""
        with self._file() as connection:
            idx = self._any(connection, "SELECT idx FROM leaf WHERE idx >= ?")
            self._did(
                connection,
                "UPDATE leaf SET entry = CAST(replace(entry, '2026', '2025') AS BLOB)"
                " WHERE idx = ?",
                idx,
            )

    def edit_a_value(self) -> None:
        """Change what a field was changed to."""
        with self._file() as connection:
            self._edit(connection)

    def edit_a_value_and_its_hash(self) -> None:
        """The same, with a leaf of the tree that fits, below nodes that do not."""
        with self._file() as connection:
            version = self._edit(connection, "version_id < 256")
            (_, entry), *_ = entries(connection, Names.of(connection), version, version + 1)
            tile = self._one(connection, "SELECT hashes FROM tile WHERE level = 0 AND idx = 0")
            start = version * HASH
            fitting = tile[:start] + leaf_hash(entry) + tile[start + HASH :]
            self._did(connection, "UPDATE tile SET hashes = ? WHERE level = 0 AND idx = 0", fitting)

    def edit_a_keyframe(self) -> None:
        """Give one record the full state of another."""
        with self._file() as connection:
            frames = connection.exec_driver_sql(
                "SELECT version_id, doc FROM keyframe WHERE version_id >= ?", (self._first,)
            ).all()
            one = self._rng.choice(frames)
            _, other = self._rng.choice([each for each in frames if each[1] != one[1]])
            self._did(connection, "UPDATE keyframe SET doc = ? WHERE version_id = ?", other, one[0])

    def take_an_entry_out(self) -> None:
        """Remove a version with its changes."""
        with self._file() as connection:
            version = self._version(connection)
            connection.exec_driver_sql("DELETE FROM change WHERE version_id = ?", (version,))
            connection.exec_driver_sql("DELETE FROM keyframe WHERE version_id = ?", (version,))
            self._did(connection, "DELETE FROM version WHERE version_id = ?", version)

    def put_an_older_copy_back(self) -> None:
        """Let the last days not have been: a consistent file, with its end cut off."""
        self._path.write_bytes(self._rng.choice(self._past.days[:-1]))

    def rewrite_a_value(self) -> None:
        """Change a value and rebuild the whole tree over it."""
        with self._file() as connection:
            self._edit(connection)
            self._rebuild(connection)

    def swap_two_entries(self) -> None:
        """Exchange what was done on two days, and rebuild the whole tree."""
        with self._file() as connection:
            asked = connection.exec_driver_sql(
                "SELECT idx, entry FROM leaf WHERE kind = 'note' AND idx >= ?", (self._first,)
            )
            (one, said), (other, heard) = self._rng.sample(asked.all(), 2)
            for idx, entry in ((one, heard), (other, said)):
                self._did(connection, "UPDATE leaf SET entry = ? WHERE idx = ?", entry, idx)
            self._rebuild(connection)

    def live_the_last_days_again(self) -> None:
        """Put an older copy back and let other things happen, until the ledger is longer."""
        day = self._rng.randrange(len(self._past.days) - 1)
        self._path.write_bytes(self._past.days[day])
        for again in range(day + 1, len(self._past.days) + 1):
            work_a_day(self._path, again, flavour=f"{self._rng.random()}-")

    # --- how -----------------------------------------------------------------------------------

    @contextmanager
    def _file(self) -> Iterator[Connection]:
        engine = connect(self._path)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")  # these only work outside transactions
                connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
                connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
                connection.exec_driver_sql("BEGIN")
                guards = connection.exec_driver_sql(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                ).all()
                for name, _ in guards:
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
                yield connection
                for _, made in guards:  # nobody shall see that they were gone
                    connection.exec_driver_sql(made)
                connection.commit()
        finally:
            engine.dispose()

    def _any(self, connection: Connection, query: str) -> int:
        found = connection.exec_driver_sql(query, (self._first,)).scalars().all()
        return int(self._rng.choice(found))

    def _one(self, connection: Connection, query: str) -> bytes:
        return bytes(connection.exec_driver_sql(query).scalar_one())

    def _version(self, connection: Connection, only: str = "TRUE") -> int:
        return self._any(
            connection,
            f"SELECT DISTINCT version_id FROM change WHERE version_id >= ? AND {only}",  # noqa: S608 -- a condition of ours
        )

    def _edit(self, connection: Connection, only: str = "TRUE") -> int:
        version = self._version(connection, only)
        token = f'"{self._rng.random()}"'
        self._did(connection, "UPDATE change SET new = ? WHERE version_id = ?", token, version)
        return version

    def _rebuild(self, connection: Connection) -> None:
        size = size_of(connection)
        told = connection.exec_driver_sql("SELECT idx, entry FROM leaf").all()
        said = {idx: bytes(entry) for idx, entry in told}
        said.update(entries(connection, Names.of(connection), 0, size))
        connection.exec_driver_sql("DELETE FROM tile")
        grow(connection, 0, [leaf_hash(said[idx]) for idx in range(size)])

    def _did(self, connection: Connection, statement: str, *values: object) -> None:
        assert connection.exec_driver_sql(statement, values).rowcount > 0


ATTACKS: Mapping[str, Callable[[Intruder], None]] = {
    attack.__name__: attack
    for attack in (
        Intruder.edit_an_entry,
        Intruder.edit_a_value,
        Intruder.edit_a_value_and_its_hash,
        Intruder.edit_a_keyframe,
        Intruder.take_an_entry_out,
        Intruder.put_an_older_copy_back,
        Intruder.rewrite_a_value,
        Intruder.swap_two_entries,
        Intruder.live_the_last_days_again,
    )
}

NEEDS_A_CHECKPOINT = {
    "put_an_older_copy_back",
    "rewrite_a_value",
    "swap_two_entries",
    "live_the_last_days_again",
}
"""What leaves a store behind that is consistent in itself: no look at it alone can tell."""
