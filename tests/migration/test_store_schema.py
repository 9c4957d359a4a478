"""The tables: described once, migrated step by step, and always the same in the end."""

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from crmtrail.errors import Mistake, NoStore
from snapshot import tables
from snapshot.database import DRIVER, WAL_SAFE, connect, journal_mode, writing
from snapshot.engine import HEAD, open_store
from snapshot.making import create_all
from snapshot.migrating import known_revisions, newest_revision, upgrade
from snapshot.triggers import FORGETFUL, INSERT_ONLY
from support.readings import T0, HandClock, reading
from support.store_rig import sql_rig


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "crmtrail.db"


@pytest.fixture
def engine(path):
    made = connect(path)
    yield made
    made.dispose()


def opened(path: Path, **more):
    return open_store(f"sqlite:///{path}", HandClock(), **more)


def described(connection) -> dict[str, list[str]]:
    """Every table, index and trigger as a sorted list of its parts, alembic's own left out."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    )
    return {name: sorted(re.split(r"[,\s]+", sql)) for name, sql in rows}


def test_migrated_and_fresh_are_the_same(path, tmp_path):
    opened(path).close()
    migrated, fresh = connect(path), connect(tmp_path / "fresh.db")
    with writing(fresh) as connection:
        create_all(connection)
        expected = described(connection)
    with writing(migrated) as connection:
        assert described(connection) == expected
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []
    assert {"version", "version_never_update", "plan_step_awaited"} <= expected.keys()
    migrated.dispose()
    fresh.dispose()


def test_the_newest_migration_is_the_one_that_opening_expects():
    assert newest_revision() == HEAD
    assert HEAD in known_revisions()


@pytest.mark.parametrize("start", sorted(known_revisions()))
def test_a_store_of_any_earlier_version_is_brought_up_with_what_it_holds(path, engine, start):
    with writing(engine) as connection:
        upgrade(connection, to=start)
        connection.exec_driver_sql("INSERT INTO object VALUES (1, 'sf', 'Contact')")
        connection.exec_driver_sql(
            "INSERT INTO position VALUES (1, 'c', 5, 4, 3, 2, 1, 0, 0, NULL)"
        )
    store = opened(path, create=False)
    standing = store.standing("sf", "Contact")
    assert (standing.cursor, standing.records, standing.expected) == ("c", 1, 3)
    store.close()
    with writing(engine) as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert found == HEAD


@pytest.mark.parametrize("trial", ["0001", "0004"])
def test_a_store_of_a_trial_version_is_refused_and_left_alone(path, engine, trial):
    opened(path).close()
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (trial,))
    before = path.read_bytes()
    with pytest.raises(NoStore, match="trial version") as caught:
        opened(path)
    assert "sync anew" in caught.value.hint
    assert path.read_bytes() == before


def test_every_store_has_an_id_of_its_own(tmp_path):
    ids = set()
    for name in ("one.db", "two.db"):
        store = opened(tmp_path / name)
        with writing(store.engine) as connection:
            ids |= set(connection.exec_driver_sql("SELECT store_id FROM identity").scalars())
        store.close()
    assert len(ids) == 2


def test_every_table_is_strict(path, engine):
    opened(path).close()
    with writing(engine) as connection:
        rows = connection.exec_driver_sql(
            "SELECT name FROM pragma_table_list WHERE NOT strict AND schema = 'main'"
            " AND type = 'table'"
            " AND name NOT LIKE 'sqlite%' AND name <> 'alembic_version'"
        )
        assert list(rows) == []
    described = {getattr(tables, name).__tablename__ for name in tables.__all__}
    assert described <= set(SQLModel.metadata.tables)


# --- opening -------------------------------------------------------------------------------------


def test_a_store_is_made_with_its_folder_and_opened_again(tmp_path):
    path = tmp_path / "deep" / "down" / "crmtrail.db"
    opened(path).close()
    store = opened(path, create=False)
    assert store.verify().ok
    store.close()


def test_a_missing_store_is_not_made_when_not_asked(path):
    with pytest.raises(NoStore, match="no store at") as caught:
        opened(path, create=False)
    assert caught.value.exit_code == 10
    assert caught.value.hint
    assert not path.exists()


def test_a_newer_store_is_refused_and_left_alone(path, engine):
    opened(path).close()
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(
        NoStore, match=r"the store was written by a newer crmtrail .*9999"
    ) as caught:
        opened(path)
    assert "upgrade" in caught.value.hint
    assert path.read_bytes() == before


def test_another_database_is_refused(path, engine):
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE customers (id INTEGER)")
    with pytest.raises(NoStore, match="no crmtrail store"):
        opened(path)


def test_a_file_of_another_kind_is_refused(path):
    path.write_text("This is a shopping list, and a long one at that.\n" * 40)
    with pytest.raises(NoStore, match="cannot be opened"):
        opened(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NoStore, match="cannot be made"):
        opened(tmp_path / "file" / "crmtrail.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+asyncpg://user:hush@host/db", "psycopg"),
        ("postgresql://user:hush@host", "name a database"),
        ("mysql://host/db", "mysql"),
        ("crmtrail.db", "not a database URL"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///x.db?mode=ro", "name a file"),
    ],
)
def test_urls_that_are_none_of_ours_are_mistakes(url, said):
    with pytest.raises(Mistake, match=said) as caught:
        open_store(url, HandClock())
    assert "hush" not in str(caught.value)
    assert caught.value.hint


def test_the_journal_mode_follows_the_version(path, engine):
    opened(path).close()
    safe = tuple(DRIVER.sqlite_version_info) >= WAL_SAFE
    with writing(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert journal_mode() == ("WAL" if safe else "TRUNCATE")
    assert pragmas == {
        "journal_mode": journal_mode().lower(),
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


@pytest.mark.parametrize(
    "values",
    [
        "('file:x', 1, NULL, NULL, NULL, '')",
        "('file:x', NULL, 'note', 1, NULL, '')",
        "('file:x', 1, 'note', NULL, NULL, '')",
        "('file:x', -1, 'note', 1, NULL, '')",
    ],
)
def test_an_anchor_is_whole_or_not_there(path, engine, values):
    opened(path).close()
    with pytest.raises(DatabaseError), writing(engine) as connection:
        connection.exec_driver_sql(f"INSERT INTO anchor VALUES {values}")  # noqa: S608 -- a test


# --- what the database refuses -------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path):
    with sql_rig(tmp_path) as rig:
        rig.keep(reading("003A", {"Phone": "1"}), gaps=[])
        rig.keep(reading("003A", {"Phone": "2"}, modified=20))
        rig.store.seal("note", {}, T0)
        rig.send(reading().ref, {"Phone": '"1"'}, sent=30, state="settled")
        yield rig.store.engine


GUARDED = ["actor", "change", "field", "keyframe", "leaf", "object", "tile", "version"]


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_history_cannot_be_changed(filled, table, change):
    column = next(iter(SQLModel.metadata.tables[table].columns)).name
    with (
        pytest.raises(DatabaseError, match=r"rows are never|only ever added"),
        writing(filled) as connection,
    ):
        connection.exec_driver_sql(change.format(table, column, f"{column} + 1"))


def test_replacing_is_changing(filled):
    with pytest.raises(DatabaseError, match="rows are never"), writing(filled) as connection:
        connection.exec_driver_sql("REPLACE INTO leaf SELECT idx, kind, x'00' FROM leaf")


def test_the_list_of_guarded_tables_is_complete():
    mutable = {"record", "position", "lease", "sync_run", "operation", "incident", "plan_step"}
    mutable |= {"alert", "anchor", "demand", "door", "erasure", "retention_mark", "subject_index"}
    guarded = {*INSERT_ONLY, *FORGETFUL, "tile"}
    assert guarded | mutable == {
        one.__tablename__ for one in vars(tables).values() if _is_table(one)
    }
    assert not guarded & mutable


def _is_table(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, SQLModel) and hasattr(one, "__table__")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET deleted = 2",
        "UPDATE record SET number = 0",
        "UPDATE record SET modified_at = 'yesterday'",
        "UPDATE position SET live = -1",
        "UPDATE lease SET fence = -1",
        "UPDATE sync_run SET state = 'done'",
        "UPDATE plan_step SET write = '{}'",
        "UPDATE plan_step SET state = 'planned', result = NULL",
        "DELETE FROM plan_step",
        "INSERT INTO change SELECT version_id, field_id + 1, 0, old, new FROM change",
        "INSERT INTO change SELECT 99, field_id, kind, old, new FROM change",
        "INSERT INTO keyframe VALUES (99, 0, 0, NULL, NULL, NULL, NULL)",
        "UPDATE tile SET hashes = x'00'",
        "INSERT INTO gap VALUES (1, 99, NULL, NULL, NULL, 'no such object')",
    ],
)
def test_wrong_rows_are_impossible(filled, statement):
    with pytest.raises(DatabaseError), writing(filled) as connection:
        connection.exec_driver_sql(statement)


def test_a_settled_step_can_still_be_seen(filled):
    with writing(filled) as connection:
        connection.exec_driver_sql("UPDATE plan_step SET seen_version = 3")
        assert connection.exec_driver_sql("SELECT seen_version FROM plan_step").scalar() == 3
