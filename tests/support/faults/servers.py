"""The store on PostgreSQL: clients killed, sessions ended, the server crashed, its lock held.

The server is one of our own. What its store must hold in the end is the same as on SQLite: both
are held against one file that was never disturbed.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from snapshot import postgres
from support.faults import victim
from support.faults.calls import KILLED, asked_of, is_told, resumed
from support.faults.judging import Held, judged
from support.faults.locks import LOCKED, PATIENCE_MS
from support.faults.story import all_pages
from support.faults.tally import Row
from support.faults.victim import Ended, Place
from support.postgres_server import Server

FAMILY = "PostgreSQL"
KILL = "client killed (SIGKILL)"
CUT = "its session ended by the server (pg_terminate_backend)"
CRASH = "server crashed (pg_ctl restart -m immediate)"
WAIT = "another session holds the write lock for a while"
GIVE_UP = f"another session holds the write lock for longer than patience, here {PATIENCE_MS} ms"

FAULTS = (KILL, CUT, CRASH, WAIT, GIVE_UP)

_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

LONGEST_S = 0.04
"""From the moment a page is asked for to the fault: about what a page takes to be stored."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, some seconds after a page was asked for."""

    number: int
    fault: str
    page: tuple[str, str]
    after: float

    def __str__(self) -> str:
        return f"no. {self.number}: {self.fault}, {self.after:.3f} s after {' '.join(self.page)}"


def cases(crashes: int, others: int) -> list[Case]:
    """Return so many crashes of the server, and so many cases of each other fault."""
    rng = random.Random("servers")  # noqa: S311 -- repeatable, nothing here is secret
    return [
        Case(number, fault, rng.choice(all_pages()), rng.uniform(0, LONGEST_S))
        for fault in FAULTS
        for number in range(crashes if fault == CRASH else others)
    ]


@dataclass(frozen=True)
class Bench:
    """A server, where its victims work, and what a store holds that was never disturbed."""

    folder: Path
    server: Server
    like: Held

    def warm_up(self) -> None:
        """Let this process import what a sync to a server needs."""
        with self._database("warm") as url:
            victim.warm_up(Place(self.folder / "warm", url))

    def run(self, case: Case) -> Row:
        """Disturb one sync and return what became of it."""
        row = Row(FAMILY, case.fault)
        name = f"case_{FAULTS.index(case.fault)}_{case.number}"
        with self._database(name) as url:
            place = Place(self.folder / name, url)
            place.lay_out()
            ended = self._disturbed(place, name, case)
            found, held = judged(place, asked_of(place), like=self.like)
            problems = [*_ending(case, ended), *found, *resumed(place, self.like, held)]
        row.add(_outcome(ended), problems, str(case))
        return row

    def _disturbed(self, place: Place, name: str, case: Case) -> Ended:
        if case.fault in {WAIT, GIVE_UP}:
            return self._locked_out(place, name, case)
        with victim.paused(place, case.page) as pid:
            pass
        time.sleep(case.after)  # the moment of the fault, not something to wait for
        if case.fault == KILL:
            victim.kill(pid)
        elif case.fault == CUT:
            self.server.run(_END_SESSIONS, database=name)
        else:
            self.server.command("restart", "-m", "immediate", "-l", f"{self.server.folder}/log")
        return victim.ended(place, pid)

    def _locked_out(self, place: Place, name: str, case: Case) -> Ended:
        def lose_patience() -> None:
            if case.fault == GIVE_UP:
                vars(postgres)["BUSY_MS"] = PATIENCE_MS  # in a process of its own

        raw = psycopg.connect(
            host="127.0.0.1", port=self.server.port, user=self.server.user, dbname=name
        )
        with raw as held:
            with victim.paused(place, case.page, prepare=lose_patience) as pid:
                held.execute("SELECT pg_advisory_xact_lock(%s)", (postgres.WRITE_LOCK,))
            if case.fault == GIVE_UP:
                return victim.ended(place, pid)
            time.sleep(10 * case.after)  # this is the fault: nothing is waited for
        return victim.ended(place, pid)

    @contextmanager
    def _database(self, name: str) -> Iterator[str]:
        self.server.run(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield self.server.url(name)
        finally:
            self.server.run(f"DROP DATABASE {name} WITH (FORCE)")


def _ending(case: Case, ended: Ended) -> Iterator[str]:
    if ended == Ended(0, ""):
        if case.fault == GIVE_UP:
            yield "waited, where it should have given up"
    elif case.fault == KILL:
        if ended.code != KILLED:
            yield f"was not killed: {ended}"
    elif case.fault == GIVE_UP:
        if ended.code != LOCKED or "error: " not in ended.err:
            yield f"did not say that the store is locked: {ended}"
    elif case.fault == WAIT or not is_told(ended):
        yield f"was not told in one clear line: {ended}"


def _outcome(ended: Ended) -> str:
    if ended.code == KILLED:
        return "killed"
    return "ended well" if ended.code == 0 else "stopped and said so"
