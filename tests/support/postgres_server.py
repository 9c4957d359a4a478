"""One PostgreSQL for the whole test session, with a fresh database for each test.

It lies in a folder of its own, listens on a free port of this machine only, and goes with the
session. A machine without PostgreSQL skips these tests, and says so; under CI that is a failure.
"""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import psycopg
import pytest

_HOMES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
_USERS: Final = ("postgres", "nobody")
"""Who may run a server where we are root, which PostgreSQL refuses."""
_SETTINGS: Final = "-c max_connections=60 -c fsync=off -c full_page_writes=off -c autovacuum=off"
"""The server goes with the session: a database a test, written to the disk, would cost seconds."""
MISSING: Final = (
    "PostgreSQL is not installed: nothing of the store on a server was tested"
    " (apt-get install postgresql)"
)


@dataclass(frozen=True)
class Server:
    """A running server. ``port`` is on 127.0.0.1, ``user`` owns everything in it."""

    folder: Path
    port: int
    user: str = "crmtrail"

    def url(self, database: str, *, user: str | None = None) -> str:
        return f"postgresql+psycopg://{user or self.user}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as the owner, each by itself; return the rows of the last."""
        rows: list[Any] = []
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.user, dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def command(self, *arguments: str) -> None:
        """Run pg_ctl."""
        _run([_program("pg_ctl"), "-D", f"{self.folder}/data", "-w", *arguments])


@cache
def running() -> Server:
    """Return the session's server, started now if it is the first to be asked for."""
    if _program("postgres") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    folder = Path(mkdtemp(prefix="crmtrail-postgres-"))
    if os.geteuid() == 0:
        user = pwd.getpwnam(_other_user())
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Server(folder, _free_port())
    data = f"{folder}/data"
    _run(
        [
            _program("initdb"),
            "-D",
            data,
            "-U",
            server.user,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
        ]
    )
    settings = f"-p {server.port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=60"
    server.command("start", "-l", f"{folder}/log", "-o", settings)
    atexit.register(_stop, server, os.getpid())
    return server


_USED: Final = "SELECT datname FROM pg_stat_activity WHERE datname IS NOT NULL"
_SHAPE: Final = (
    "SELECT (SELECT count(*) FROM pg_class),"
    " (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O')"
)
_FILLED: Final = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND (xpath('/row/c/text()',"
    " query_to_xml(format('SELECT count(*) AS c FROM %I', tablename), false, true, '')))[1]::text"
    " <> '0'"
)
_EMPTY: Final = """
DO $$
DECLARE name text;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
    AND tablename <> ALL (ARRAY[{kept}]::text[]) LOOP EXECUTE format('DELETE FROM %I', name);
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'
    LOOP EXECUTE format('ALTER SEQUENCE %I RESTART', name);
  END LOOP;
END $$
"""


class _Copies:
    """Databases made from one template. Making one costs much, so that they are emptied again.

    What the template's tables hold stays; a copy whose tables or guards were altered is dropped.
    """

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template
        self._numbers = count(1)
        self._idle: list[str] = []
        self._shape: list[Any] = []
        self._kept = ""

    def take(self) -> str:
        if self._idle:
            return self._idle.pop()
        name = f"{self._template}_{next(self._numbers)}"
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        if not self._shape:
            self._shape = self._server.run(_SHAPE, database=name)
            filled = self._server.run(_FILLED, database=name)
            self._kept = ", ".join(f"'{table}'" for (table,) in filled)
        return name

    def give_back(self, name: str) -> None:
        """Take a copy back once nobody uses it."""
        used = [each for each in self._server.run(_USED) if each == (name,)]
        if used or self._server.run(_SHAPE, database=name) != self._shape:
            self._server.run(f"DROP DATABASE {name} WITH (FORCE)")
            return
        self._server.run(_EMPTY.format(kept=self._kept), database=name)
        self._idle.append(name)


@contextmanager
def fresh_database(template: str = "template0") -> Iterator[str]:
    """Give the URL of a database that is as its template, for as long as it is used."""
    copies = _copies(template)
    name = copies.take()
    try:
        yield running().url(name)
    finally:
        copies.give_back(name)


@cache
def _copies(template: str) -> _Copies:
    return _Copies(running(), template)


def _stop(server: Server, owner: int) -> None:
    if os.getpid() != owner:
        return  # a child that was forked off a test
    with suppress(subprocess.CalledProcessError):
        server.command("stop", "-m", "immediate")
    shutil.rmtree(server.folder, ignore_errors=True)


def _run(command: list[str | None]) -> None:
    prefix = ["runuser", "-u", _other_user(), "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*prefix, *map(str, command)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )


@cache
def _program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs; the newest version's."""
    found = [
        path
        for home in _HOMES
        for path in Path("/").glob(f"{home.removeprefix('/')}/{name}")
        if os.access(path, os.X_OK)
    ]
    newest = sorted(found, key=lambda path: [int(n) for n in path.parts if n.isdecimal()])
    return str(newest[-1]) if newest else shutil.which(name)


def _other_user() -> str:
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in _USERS if name in known)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
