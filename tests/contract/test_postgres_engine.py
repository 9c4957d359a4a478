"""What a store's engine over PostgreSQL promises: locks, one state, plain words, odd values."""

import threading
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from crmtrail.errors import Locked, Mistake, NoStore, StopAll
from snapshot import bulk
from snapshot.database import read_only, reading, writing
from snapshot.guards import open_door
from snapshot.place import StoreFile, StoreServer, connect, place_of, table_names
from snapshot.postgres import WRITE_LOCK
from snapshot.server_errors import told
from support.postgres_server import fresh_database, running
from support.store_rig import fresh_server_store

SECRET = "correct-horse"
INDEX = ("idx", "kind", "entry")
ODD_TEXTS = [
    "",
    " ",
    "\\",
    '"',
    "'",
    "{}",
    "NULL",
    "a,b",
    "é\U0001f600",
    "\t\n\r",
    '"\\ud800\\u0000"',
]
ODD_BYTES = [b"", b"\0", b"\0\xff\\", bytes(range(256)), None]


@pytest.fixture
def url():
    with fresh_database(fresh_server_store()) as made:
        yield made


@pytest.fixture(scope="module")
def looking():
    """An engine for tests that change nothing."""
    with fresh_database(fresh_server_store()) as made:
        engine = connect(place_of(made))
        yield engine
        engine.dispose()


@pytest.fixture
def engine(url):
    made = connect(place_of(url))
    yield made
    made.dispose()


@pytest.fixture
def other(url):
    made = connect(place_of(url))
    yield made
    made.dispose()


def seal(connection, *numbers: int) -> None:
    rows = [(number, "note", b"{}") for number in numbers]
    connection.exec_driver_sql("INSERT INTO leaf (idx, kind, entry) VALUES (?, ?, ?)", rows)


def sealed(connection) -> list[int]:
    return list(connection.exec_driver_sql("SELECT idx FROM leaf ORDER BY idx").scalars())


# --- one writer, one state -----------------------------------------------------------------------


def test_all_of_a_transaction_is_kept_or_nothing(engine):
    with writing(engine) as connection:
        seal(connection, 1)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        seal(connection, 2, 1)
    with reading(engine) as connection:
        assert sealed(connection) == [1]


def test_a_second_writer_waits_and_then_sees_what_the_first_kept(engine, other):
    waited = threading.Event()
    seen: list[int] = []

    def second() -> None:
        with writing(other) as connection:
            waited.set()
            seen.extend(sealed(connection))

    with writing(engine) as connection:
        thread = threading.Thread(target=second)
        thread.start()
        await_waiter(engine)
        assert not waited.is_set()
        seal(connection, 1)
    thread.join(timeout=30)
    assert seen == [1]


def await_waiter(engine) -> None:
    """Wait until somebody stands in line for the write lock."""
    waiters = 0
    while not waiters:
        with reading(engine) as connection:
            waiters = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ).scalar_one()


def test_a_writer_that_does_not_end_is_told(engine, other):
    with writing(engine), pytest.raises(Locked, match="another process") as caught:
        wait_briefly(other)
    assert (caught.value.exit_code, caught.value.hint) == (11, "wait for its end, then run again")


def wait_briefly(engine) -> None:
    """Ask for the write lock as a writer does, but with less patience."""
    with read_only(engine).begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def test_a_reader_sees_one_state_and_stops_nobody(engine, other):
    with reading(engine) as reader:
        assert sealed(reader) == []
        with writing(other) as connection:
            seal(connection, 1)
        assert sealed(reader) == []
    with reading(engine) as reader:
        assert sealed(reader) == [1]


def test_a_reader_cannot_write(looking):
    with pytest.raises(StopAll, match="can only be read"), reading(looking) as connection:
        seal(connection, 1)


def test_one_who_compares_may_keep_notes_in_temporary_tables(looking):
    with read_only(looking).connect() as connection:
        with connection.begin():
            connection.exec_driver_sql(
                "CREATE TEMP TABLE noted (a INTEGER PRIMARY KEY) WITHOUT ROWID"
            )
            connection.exec_driver_sql("INSERT OR IGNORE INTO temp.noted VALUES (?)", [(1,), (1,)])
        with connection.begin():
            assert connection.exec_driver_sql("SELECT a FROM temp.noted").scalars().all() == [1]
            connection.exec_driver_sql("DROP TABLE temp.noted")
    with reading(looking) as connection:
        assert "noted" not in table_names(connection)


def test_what_is_committed_is_on_the_disk(engine):
    running().run("ALTER ROLE crmtrail SET synchronous_commit = off")
    try:
        with writing(engine) as connection:
            said = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
    finally:
        running().run("ALTER ROLE crmtrail RESET synchronous_commit")
    assert said == "on"


def test_texts_are_ordered_byte_by_byte_whatever_the_database_says(engine):
    names = ["a", "B", "_", "é", "Z", "z"]
    with writing(engine) as connection:
        for no, name in enumerate(names):
            connection.exec_driver_sql("INSERT INTO object VALUES (?, ?, 'x')", (no, name))
        rows = connection.exec_driver_sql("SELECT source FROM object ORDER BY source").scalars()
        assert list(rows) == sorted(names)


def test_whole_numbers_come_back_whole(looking):
    with reading(looking) as connection:
        sums = connection.exec_driver_sql(
            "SELECT sum(value), avg(value), -(2 * max(value)), sum(value + 0.5)"
            " FROM json_each(?) AS j",
            (f"[{2**60}, 1, 3, -{2**60}]",),
        ).one()
    assert [repr(value) for value in sums] == ["4", "1.0", f"-{2**61}", "6.0"]


@pytest.mark.parametrize("value", [*ODD_TEXTS, *ODD_BYTES, 0, -1, 2**62, -(2**62)])
def test_values_come_back_as_they_went(looking, value):
    with reading(looking) as connection:
        assert connection.exec_driver_sql("SELECT ?", (value,)).scalar_one() == value


def test_a_value_that_may_be_missing_needs_no_type(looking):
    with reading(looking) as connection:
        for value in (None, "note", 5):
            ask = "SELECT count(*) FROM leaf WHERE (? IS NULL OR kind = ?) AND idx IS NOT ?"
            kind = value if isinstance(value, str) else None
            assert connection.exec_driver_sql(ask, (kind, kind, None)).scalar_one() == 0


def test_extremes_of_missing_values_are_missing(looking):
    with reading(looking) as connection:
        row = connection.exec_driver_sql(
            "SELECT min(value, ?), max(value, ?), max(value, ?) FROM json_each(?) AS j",
            (None, None, 7, "[5]"),
        ).one()
        assert tuple(row) == (None, None, 7)


# --- many rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 2500])
def test_many_rows_are_inserted(engine, count):
    rows = [(no, "a" * (no % 7), bytes([no % 256])) for no in range(count)]
    with writing(engine) as connection:
        bulk.insert(connection, "leaf", INDEX, rows)
    with reading(engine) as connection:
        found = connection.exec_driver_sql("SELECT idx, kind, entry FROM leaf ORDER BY idx").all()
        assert [tuple(row) for row in found] == rows


def test_odd_values_are_inserted_and_set_in_bulk(engine):
    plan = [("p1", "d", "ana", 0, 1, "sf", "{}")]
    columns = ("plan_id", "no", "step_id", "source", "object", "record", "action", "reason")
    defaults = {"expect": "{}", "write": "{}", "left": "{}", "state": "planned", "before": "{}"}
    defaults |= {"detail": "", "fields": "{}"}
    rows = [
        ("p1", no, f"s{no}", "sf", "Contact", text, "skip", text, *defaults.values())
        for no, text in enumerate(ODD_TEXTS)
    ]
    with writing(engine) as connection:
        bulk.insert(
            connection,
            "plan",
            ("id", "digest", "author", "created", "expires", "source", "terms"),
            plan,
        )
        bulk.insert(connection, "plan_step", (*columns, *defaults), rows)
        found = bulk.update(
            connection,
            "plan_step",
            ("plan_id", "no"),
            ("sent_at", "detail", "seen_version"),
            [("p1", no, None if no % 2 else 2**60, text, None) for no, text in enumerate(ODD_TEXTS)]
            + [("p1", 10**6, 1, "nobody", 1)],
        )
    assert found == len(ODD_TEXTS)
    with reading(engine) as connection:
        kept = connection.exec_driver_sql(
            "SELECT record, reason, detail, sent_at, seen_version FROM plan_step ORDER BY no"
        ).all()
    assert [tuple(row) for row in kept] == [
        (text, text, text, None if no % 2 else 2**60, None) for no, text in enumerate(ODD_TEXTS)
    ]


def test_bytes_are_inserted_and_set_in_bulk(engine):
    names = ("actor_id", "kind", "digest", "key", "salt")
    rows = [(no, "user", bytes(32), str(no), value) for no, value in enumerate(ODD_BYTES[:-1])]
    codecs = [(no, 1, value) for no, value in enumerate(ODD_BYTES[:-1])]
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO object VALUES (1, 'sf', 'Contact')")
        bulk.insert(connection, "actor", names, rows)
        bulk.insert(connection, "codec", ("codec_id", "object_id", "dictionary"), codecs)
        with open_door(connection):
            bulk.update(connection, "actor", ("actor_id",), ("salt", "key"), [(0, None, None)])
    with reading(engine) as connection:
        salts = connection.exec_driver_sql("SELECT salt FROM actor ORDER BY actor_id").scalars()
        assert salts.all() == [None, *ODD_BYTES[1:-1]]
        kept = connection.exec_driver_sql("SELECT dictionary FROM codec ORDER BY codec_id")
        assert kept.scalars().all() == ODD_BYTES[:-1]


def test_a_row_that_breaks_a_condition_is_refused_as_on_sqlite_and_shows_no_values(engine):
    rows = [(no, "personal", b"") for no in (1, 2, -3)]
    with pytest.raises(IntegrityError) as caught, writing(engine) as connection:
        bulk.insert(connection, "leaf", INDEX, rows)
    assert "personal" not in f"{caught.value} {caught.value.orig}"
    with reading(engine) as connection:
        assert sealed(connection) == []


def test_a_bulk_write_in_a_reading_transaction_is_told(looking):
    rows = [(no, "k", b"") for no in range(3)]
    with pytest.raises(StopAll, match="can only be read"), reading(looking) as connection:
        bulk.insert(connection, "leaf", INDEX, rows)


# --- history stays -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["UPDATE leaf SET kind = 'x'", "DELETE FROM leaf", "TRUNCATE leaf CASCADE"]
)
def test_history_is_not_changed(engine, change):
    with writing(engine) as connection:
        seal(connection, 1)
    with (
        pytest.raises(IntegrityError, match="leaf: rows are"),
        writing(engine) as connection,
    ):
        connection.exec_driver_sql(change)
    with reading(engine) as connection:
        assert sealed(connection) == [1]


FORGETTING = ["SET name = NULL", "SET name = NULL, key = NULL, salt = NULL"]
EDITING = ["SET name = 'Bob'", "SET kind = 'app'", "SET digest = NULL", "SET via = 'x'"]


@pytest.mark.parametrize("change", FORGETTING)
def test_an_open_door_lets_values_be_forgotten_and_shuts_with_the_transaction(engine, change):
    know_an_actor(engine)
    with writing(engine) as connection:
        with open_door(connection):
            connection.exec_driver_sql(f"UPDATE actor {change}")
        assert connection.exec_driver_sql("SELECT name FROM actor").scalar_one() is None
    with pytest.raises(IntegrityError, match="actor: rows are never changed"):
        alone(engine, "UPDATE actor SET via = NULL")


@pytest.mark.parametrize("change", EDITING)
def test_an_open_door_lets_nothing_else_through(engine, change):
    know_an_actor(engine)
    with (
        pytest.raises(IntegrityError, match="actor: rows are never changed"),
        writing(engine) as connection,
        open_door(connection),
    ):
        connection.exec_driver_sql(f"UPDATE actor {change}")


def know_an_actor(engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO actor (actor_id, key, kind, name, salt, digest) VALUES (1,?,?,?,?,?)",
            ("k", "user", "Ada", b"s", bytes(32)),
        )


def alone(engine, statement) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql(statement)


# --- plain words ---------------------------------------------------------------------------------


def opening(url) -> None:
    engine = connect(place_of(url))
    try:
        with reading(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
    finally:
        engine.dispose()


def test_a_database_that_is_not_there_is_told():
    with pytest.raises(NoStore, match='database "nowhere" does not exist') as caught:
        opening(running().url("nowhere"))
    assert "createdb" in caught.value.hint


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(NoStore, match="cannot be opened") as caught:
        opening(f"postgresql://ana:{SECRET}@127.0.0.1:1/crm")
    assert "the server runs" in caught.value.hint
    assert SECRET not in str(caught.value)


def test_a_wrong_password_is_told_and_never_repeated(url):
    server = running()
    database = url.rsplit("/", 1)[1]
    server.run("DROP ROLE IF EXISTS ana", "CREATE ROLE ana LOGIN PASSWORD 'right'")
    with asking_for_passwords(server, "ana"), pytest.raises(NoStore) as caught:
        opening(f"postgresql://ana:{SECRET}@127.0.0.1:{server.port}/{database}")
    said = f"{caught.value} {caught.value.hint} {caught.value!r} {caught.value.__cause__}"
    assert "password authentication failed" in said
    assert SECRET not in said
    assert "PGPASSWORD" in caught.value.hint
    server.run("DROP ROLE ana")


@contextmanager
def asking_for_passwords(server, user):
    """Have the server ask one user for a password meanwhile."""
    rules = server.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all {user} all scram-sha-256\n{before}")
    server.command("reload")
    loaded = 0
    while not loaded:
        # Sessions take the rules when they begin; this one tells which are in force.
        [(loaded,)] = server.run(
            "SELECT count(*) FROM pg_stat_file('pg_hba.conf') AS f"
            " WHERE pg_conf_load_time() >= f.modification"
        )
    yield
    rules.write_text(before)
    server.command("reload")


def test_a_session_that_is_cut_is_told_and_the_next_one_works(engine):
    with pytest.raises(StopAll, match="went away") as caught, writing(engine) as connection:
        cut_off_after_writing(connection)
    assert "nothing kept is lost" in caught.value.hint
    with reading(engine) as connection:
        assert sealed(connection) == []


def cut_off_after_writing(connection) -> None:
    seal(connection, 1)
    mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    running().run(f"SELECT pg_terminate_backend({mine})")
    sealed(connection)


def test_a_user_without_rights_is_told(url):
    server, database = running(), url.rsplit("/", 1)[1]
    server.run("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    engine = connect(place_of(server.url(database, user="guest")))
    with pytest.raises(StopAll, match="lacks a right"), writing(engine) as connection:
        sealed(connection)
    engine.dispose()
    server.run("DROP ROLE guest")


def test_a_database_of_another_encoding_is_refused():
    server = running()
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(NoStore, match="encoded in LATIN1") as caught:
        opening(server.url("latin"))
    assert "UTF8" in caught.value.hint
    server.run("DROP DATABASE latin WITH (FORCE)")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (psycopg.errors.DiskFull, StopAll, "disk of the server of s is full"),
        (psycopg.errors.IoError, StopAll, "disk of the server of s failed"),
        (psycopg.errors.DataCorrupted, StopAll, "damaged pages"),
        (psycopg.errors.IndexCorrupted, StopAll, "damaged pages"),
        (psycopg.errors.DeadlockDetected, Locked, "got in our way"),
        (psycopg.errors.SerializationFailure, Locked, "got in our way"),
        (psycopg.errors.TooManyConnections, Exception, "no more connections"),
        (psycopg.errors.AdminShutdown, StopAll, "went away"),
        (psycopg.errors.ConnectionException, StopAll, "went away"),
    ],
)
def test_what_a_server_can_say_is_told_in_plain_words(error, kind, words):
    found = told(error("said"), "s")
    assert isinstance(found, kind)
    assert words in str(found)
    assert found.hint


def test_what_is_our_own_mistake_is_not_explained_away(looking):
    assert told(psycopg.errors.UndefinedTable("x"), "s") is None
    assert told(ValueError("x"), "s") is None
    with pytest.raises(ProgrammingError), reading(looking) as connection:
        connection.exec_driver_sql("SELECT 1 FROM nowhere")


# --- urls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_is_named_without_its_password(scheme):
    place = place_of(f"{scheme}://ana:{SECRET}@db.example.com:5433/crm?sslmode=require")
    assert isinstance(place, StoreServer)
    assert str(place) == "postgresql://ana@db.example.com:5433/crm"
    assert SECRET not in repr(place)
    assert place.url.drivername == "postgresql+psycopg"
    assert place.url.query == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://ana@host", "name a database"),
        (f"postgresql+psycopg2://ana:{SECRET}@host/crm", "by psycopg, not postgresql.psycopg2"),
        (f"mysql://ana:{SECRET}@host/crm", "mysql is not a kind of store"),
        (f"postgresql://ana:{SECRET}@host:port/crm", "not a database URL"),
        ("crmtrail.db", "not a database URL"),
        ("sqlite://", "name a file"),
    ],
)
def test_what_is_no_store_is_refused_without_repeating_it(url, why):
    with pytest.raises(Mistake, match=why) as caught:
        place_of(url)
    assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_a_file_is_a_place_too(tmp_path):
    place = place_of(f"sqlite:///{tmp_path}/crmtrail.db")
    assert place == StoreFile(tmp_path / "crmtrail.db")
    assert str(place) == f"{tmp_path}/crmtrail.db"
