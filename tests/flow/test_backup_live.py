"""A backup of a store that is being written to, and what a restore refuses."""

import shutil
import sqlite3
from contextlib import closing
from hashlib import shake_128

import pytest

from crmtrail.errors import Locked, Mistake, NoStore, VerifyFailed
from crmtrail.ports import ignore
from snapshot.backup import back_up, restore
from snapshot.database import DRIVER
from snapshot.engine import open_file
from snapshot.leaves import entry_at
from support.readings import OBJECT, SOURCE, HandClock, at, reading
from support.store_rig import fresh_store, proven_rig

MANY = 3_000
GARBAGE = b"not a database at all\n" * 1_000
CLOCK = HandClock(at(900))


@pytest.fixture
def rig(tmp_path):
    (tmp_path / "live").mkdir()
    with proven_rig("sqlite", tmp_path / "live") as made:
        made.keep(reading("003A", {"Phone": "1"}), reading("003B", {"Phone": "1"}))
        yield made


@pytest.fixture
def good(rig, tmp_path):
    return back_up(rig.store, tmp_path / "good.db", by="ana", clock=CLOCK)


def states(path):
    store = open_file(path, CLOCK)
    try:
        assert store.verify().ok
        size = store.checkpoint(at(0)).size
        return size, {
            one.ref.id: (one.number, dict(one.fields)) for one in store.records(SOURCE, OBJECT)
        }
    finally:
        store.close()


def entry(path, index):
    store = open_file(path, CLOCK)
    try:
        with store.engine.begin() as connection:
            return entry_at(connection, index)
    finally:
        store.close()


def test_a_copy_is_of_one_moment_while_another_process_writes(rig, tmp_path):
    # What no compression makes small.
    noise = [shake_128(b"%d" % no).hexdigest(1_000) for no in range(MANY)]
    rig.keep(*(reading(f"004{no:05}", {"Note": text}) for no, text in enumerate(noise)))
    size, before = states(tmp_path / "live" / "crmtrail.db")
    other = open_file(tmp_path / "live" / "crmtrail.db", CLOCK)
    steps = []

    def write(done, total, _words):
        steps.append((done, total))
        found = [
            reading("003A", {"Phone": f"n{len(steps)}"}, modified=len(steps)),
            reading(f"new{len(steps)}", {"Phone": "1"}, modified=len(steps)),
        ]
        other.absorb(SOURCE, OBJECT, found, notice=ignore)

    try:
        made = back_up(rig.store, tmp_path / "copy.db", by="ana", clock=CLOCK, progress=write)
    finally:
        other.close()
    assert len(steps) > 1
    assert made.entries == size + 1
    assert states(tmp_path / "copy.db") == (size + 1, before)
    assert rig.store.checkpoint(at(0)).size == size + 2 * len(steps) + 1
    assert rig.store.verify().ok


def test_a_backup_is_one_private_file_sealed_in_the_store(rig, good, tmp_path):
    assert good.path.stat().st_size == good.bytes
    assert good.path.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["good.db", "live"]
    with closing(sqlite3.connect(good.path)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    sealed = entry(tmp_path / "live" / "crmtrail.db", good.entries - 1)
    assert (sealed["kind"], sealed["entry"]["by"]) == ("backup", "ana")
    assert (sealed["entry"]["to"], sealed["entry"]["entries"]) == ("good.db", good.entries - 1)
    assert entry(good.path, good.entries - 1) == sealed, "the copy says what it is"


def test_a_backup_replaces_nothing(rig, good):
    with pytest.raises(Mistake, match="exists already"):
        back_up(rig.store, good.path, by="ana", clock=CLOCK)


def test_an_altered_store_gives_no_backup(rig, tmp_path):
    with rig.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE record SET deleted = 1 WHERE record_id = 1")
    with pytest.raises(VerifyFailed, match="was altered") as caught:
        back_up(rig.store, tmp_path / "bad.db", by="ana", clock=CLOCK)
    assert caught.value.exit_code == 5
    assert [one.name for one in tmp_path.iterdir()] == ["live"]
    with rig.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE record SET deleted = 0 WHERE record_id = 1")


# --- restoring -----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    return tmp_path / "there" / "crmtrail.db"


def bring_back(path, source, **more):
    return restore(path, source, by="bea", clock=CLOCK, **more)


def test_a_backup_becomes_the_store_and_says_so_in_its_ledger(good, place):
    untouched = good.path.read_bytes()
    made = bring_back(place, good.path)
    assert (made.entries, made.root, made.before) == (good.entries, good.root, None)
    assert states(place)[1] == states(good.path)[1]
    sealed = entry(place, good.entries)
    assert (sealed["kind"], sealed["entry"]["by"]) == ("restore-store", "bea")
    assert [one.name for one in place.parent.iterdir()] == ["crmtrail.db"]
    assert good.path.read_bytes()[100:] == untouched[100:]


def test_a_store_that_is_there_is_kept_beside(good, place):
    place.parent.mkdir()
    place.write_bytes(fresh_store())
    with pytest.raises(Mistake, match="there is a store") as caught:
        bring_back(place, good.path)
    assert "--force" in caught.value.hint
    assert place.read_bytes() == fresh_store()
    first = bring_back(place, good.path, force=True)
    assert first.before == place.with_name("crmtrail.db.before-restore")
    assert states(first.before) == (0, {})
    second = bring_back(place, good.path, force=True)
    assert second.before == place.with_name("crmtrail.db.before-restore-2")
    assert states(second.before)[0] == good.entries + 1


def test_a_damaged_store_can_be_replaced(good, place):
    place.parent.mkdir()
    place.write_bytes(GARBAGE)
    place.with_name("crmtrail.db-wal").write_bytes(b"left over")
    made = bring_back(place, good.path, force=True)
    assert made.before.read_bytes() == GARBAGE
    assert not place.with_name("crmtrail.db-wal").exists()
    assert states(place)[0] == good.entries + 1


def test_a_store_in_use_is_not_replaced(rig, good, tmp_path):
    live = tmp_path / "live" / "crmtrail.db"
    rig.store.checkpoint(at(0))
    with (
        rig.store.engine.connect() as connection,
        connection.begin(),
        pytest.raises(Locked, match="in use") as caught,
    ):
        bring_back(live, good.path, force=True)
    assert caught.value.exit_code == 11
    assert rig.store.verify().ok
    assert not live.with_name("crmtrail.db.before-restore").exists()


def test_a_copy_of_a_store_with_its_write_ahead_log_works_too(rig, tmp_path, place):
    rig.keep(reading("003C", {"Phone": "1"}))
    for each in (tmp_path / "live").iterdir():
        shutil.copy(each, tmp_path)
    bring_back(place, tmp_path / "crmtrail.db")
    assert "003C" in states(place)[1]


ALTERED = {
    "a value": "DROP TRIGGER keyframe_never_update; UPDATE keyframe SET doc = zeroblob(50)",
    "an entry": "DROP TRIGGER leaf_never_update; UPDATE leaf SET entry = x'7b7d'",
    "a missing entry": "DROP TRIGGER leaf_never_delete; DELETE FROM leaf",
    "an actor": "DROP TRIGGER actor_never_update; UPDATE actor SET name = 'Eve'",
    "a stray reference": (
        "DROP TRIGGER change_never_update; PRAGMA foreign_keys = OFF;"
        "INSERT INTO change VALUES (99, 99, 3, NULL, '1')"
    ),
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_backup_is_refused_and_nothing_is_touched(good, place, how):
    with closing(DRIVER.connect(good.path)) as raw:
        raw.executescript(ALTERED[how])
    place.parent.mkdir()
    place.write_bytes(fresh_store())
    with pytest.raises(VerifyFailed, match=r"good\.db (was altered|is damaged)") as caught:
        bring_back(place, good.path, force=True)
    assert caught.value.exit_code == 5
    assert place.read_bytes() == fresh_store()
    assert [one.name for one in place.parent.iterdir()] == ["crmtrail.db"]


def test_a_page_torn_out_is_noticed(good, place):
    torn = bytearray(good.path.read_bytes())
    torn[4096 * 8 : 4096 * 12] = bytes(4096 * 4)
    good.path.write_bytes(torn)
    with pytest.raises(VerifyFailed):
        bring_back(place, good.path)
    assert list(place.parent.iterdir()) == []


def test_a_cut_file_is_noticed(good, place):
    good.path.write_bytes(good.path.read_bytes()[: 4096 * 20 + 17])
    with pytest.raises(VerifyFailed):
        bring_back(place, good.path)


@pytest.mark.parametrize("content", [b"", b"shopping list\n" * 400])
def test_what_is_no_store_is_refused(tmp_path, place, content):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(NoStore, match="no crmtrail store") as caught:
        bring_back(place, tmp_path / "list.txt")
    assert caught.value.exit_code == 10
    with pytest.raises(NoStore, match="there is no backup"):
        bring_back(place, tmp_path / "missing.db")


def test_a_backup_of_a_newer_version_is_refused_by_its_own_name(good, place):
    with closing(DRIVER.connect(good.path)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    with pytest.raises(NoStore, match="newer crmtrail"):
        bring_back(place, good.path)
