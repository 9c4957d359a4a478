"""A store on a disk that is full, read-only or somebody else's, and who may read the file."""

import stat
from datetime import timedelta

import pytest

from crmtrail.errors import Locked, NoStore, StopAll
from crmtrail.model import Mode
from rollback.journal import SqlJournal
from scheduler.lease import SqlLeases
from snapshot import database
from snapshot.database import DRIVER, connect, told, writing
from snapshot.engine import open_store
from support import nobody
from support.readings import OBJECT, SOURCE, T0, HandClock, reading
from support.store_rig import sql_rig

TTL = timedelta(minutes=1)


@pytest.fixture
def rig(tmp_path):
    with sql_rig(tmp_path) as made:
        yield made


def fill(store) -> None:
    """Let the file grow no further, as on a full disk."""
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_told_and_loses_nothing(rig):
    rig.keep(reading("003A", {"Phone": "1"}), cursor="here")
    fill(rig.store)
    many = [reading(f"003{no:05}", {"Phone": "x" * 500}) for no in range(2000)]
    with pytest.raises(StopAll, match=r"the disk of the store .* is full") as caught:
        rig.keep(*many, cursor="there")
    assert (type(caught.value), caught.value.exit_code) == (StopAll, 1)
    assert "nothing kept is lost" in caught.value.hint
    standing = rig.store.standing(SOURCE, OBJECT)
    assert (standing.records, standing.cursor) == (1, "here")
    assert rig.store.verify().ok


def test_a_writer_that_does_not_end_is_told(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_MS", 50)
    other = connect(tmp_path / "crmtrail.db")
    with writing(rig.store.engine), pytest.raises(Locked, match="another process") as caught:
        SqlLeases(other, HandClock()).acquire(SOURCE, "Account", "here:1:1", TTL)
    other.dispose()
    assert caught.value.exit_code == 11


def test_other_words_of_sqlite_are_told_apart(tmp_path):
    assert isinstance(told(DRIVER.OperationalError("disk I/O error"), tmp_path), StopAll)
    opening = told(DRIVER.OperationalError("unable to open database file"), tmp_path)
    assert isinstance(opening, NoStore)
    assert told(DRIVER.OperationalError("no such table: x"), tmp_path) is None


def test_a_new_store_is_its_owners_alone(tmp_path):
    path = tmp_path / "crmtrail.db"
    store = open_store(f"sqlite:///{path}", HandClock())
    store.begin(SOURCE, OBJECT, Mode.FULL, T0)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}, modes


def test_a_store_that_is_there_keeps_its_permissions(tmp_path):
    path = tmp_path / "crmtrail.db"
    open_store(f"sqlite:///{path}", HandClock()).close()
    path.chmod(0o640)
    open_store(f"sqlite:///{path}", HandClock()).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# --- read-only -----------------------------------------------------------------------------------


def as_nobody(act) -> tuple[int, str]:
    """Act in a process that may not write; return its code and what it gave or refused with."""

    def told() -> tuple[int, str]:
        try:
            return 0, str(act())
        except (StopAll, Locked) as error:
            return error.exit_code, f"{type(error).__name__}: {error}"

    return nobody.as_nobody(told)


@pytest.fixture
def shelved(tmp_path):
    """A store in a folder that cannot be written."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with sql_rig(shelf) as rig:
        rig.keep(reading("003A", {"Phone": "1"}))
    for folder in (shelf, *list(shelf.parents)[:-2]):
        folder.chmod(0o755)
    path = shelf / "crmtrail.db"
    path.chmod(0o444)
    shelf.chmod(0o555)
    yield path
    shelf.chmod(0o755)


def test_a_store_on_read_only_media_can_be_read(shelved):
    def look():
        store = open_store(f"sqlite:///{shelved}", HandClock(), create=False)
        told = (store.standing(SOURCE, OBJECT).records, store.verify().ok)
        plans = SqlJournal(store.engine).plans()
        store.close()
        return (*told, plans)

    assert as_nobody(look) == (0, "(1, True, [])")
    assert [each.name for each in shelved.parent.iterdir()] == ["crmtrail.db"]


def test_writing_there_is_refused_in_plain_words(shelved):
    def write():
        store = open_store(f"sqlite:///{shelved}", HandClock())
        store.begin(SOURCE, OBJECT, Mode.FULL, T0)

    code, said = as_nobody(write)
    assert (code, said) == (1, f"StopAll: the store {shelved} can only be read")


def test_an_earlier_store_there_says_that_it_needs_an_upgrade(shelved):
    shelved.parent.chmod(0o755)
    shelved.chmod(0o644)
    engine = connect(shelved)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    engine.dispose()
    shelved.chmod(0o444)
    shelved.parent.chmod(0o555)
    code, said = as_nobody(lambda: open_store(f"sqlite:///{shelved}", HandClock()))
    assert code == 10
    assert "of an earlier crmtrail" in said
