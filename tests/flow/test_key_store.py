"""The key store on disk: who may open it, what stays of a destroyed key, what others notice."""

import stat
import subprocess
import sys
from contextlib import closing

import pytest

from crmtrail.errors import Mistake, NoStore
from crmtrail.keys_config import KeysConfig
from snapshot.database import DRIVER, writing
from snapshot.keys.kek import fresh_kek
from snapshot.keys.kek_places import in_environment, in_file
from snapshot.keys.keyring import Keyring
from snapshot.keys.opening import key_place, open_keyring, open_keys
from snapshot.keys.port import KeyMissing, Unsealable
from snapshot.keys.wrapping import unwrap, wrap
from snapshot.place import StoreFile, place_of
from support.key_rig import key_rig
from support.readings import T0

STORE = "sqlite:////srv/crm.db"


@pytest.fixture
def rig(tmp_path):
    with key_rig(tmp_path) as made:
        yield made


def test_it_is_made_with_its_kek_for_its_owner_alone(rig):
    rig.open().make(1)
    for path in rig.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert rig.kek.exists()


def test_keys_blind_index_and_owner_outlive_the_process(rig):
    first = rig.open()
    made = dict(first.make(700))
    first.bind("store-1")
    blind = first.blind("ana@example.com")
    first.close()
    second = rig.open(create=False)
    assert second.fetch(made) == made
    assert second.store_id == "store-1"
    assert second.blind("ana@example.com") == blind
    assert not made.keys() & dict(second.make(700)).keys(), "no id is given twice"


def test_no_key_lies_there_unwrapped(rig):
    ring = rig.open()
    made = ring.make(50)
    ring.blind("ana@example.com")
    content = rig.bytes_on_disk()
    assert not [key for _, key in made if key in content]
    (kek,) = rig.source.read()
    assert kek not in content


def test_nothing_is_left_of_a_destroyed_key(rig):
    ring = rig.open()
    (lost, key), (_, kept) = ring.make(2)
    (kek,) = rig.source.read()
    lost_wrapped, left_wrapped = wrap(kek, key), wrap(kek, kept)
    assert unwrap(kek, lost_wrapped) == key
    assert lost_wrapped in rig.bytes_on_disk(), "AES key wrap gives the same each time"
    ring.destroy([lost], T0)
    content = rig.bytes_on_disk()
    assert lost_wrapped not in content
    assert left_wrapped in content
    ring.close()
    assert lost_wrapped not in rig.bytes_on_disk()


def test_a_reader_delays_the_overwriting_but_not_the_destruction(rig):
    ring = rig.open()
    (lost, key), _ = ring.make(2)
    with closing(DRIVER.connect(rig.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM subject_key").fetchall()
        assert ring.destroy([lost], T0) == 1
        assert ring.fetch([lost]) == {lost: None}
        assert not ring.scrub(), "somebody is reading"
        reader.execute("ROLLBACK")
    assert ring.scrub()
    (kek,) = rig.source.read()
    assert wrap(kek, key) not in rig.bytes_on_disk()


def test_what_another_process_destroyed_leaves_the_memory_of_this_one(rig):
    ring = rig.open()
    made = dict(ring.make(3))
    lost = min(made)
    assert ring.fetch(made) == made
    code = """if True:
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from crmtrail.clock import SystemClock
        from snapshot.keys.kek_places import in_file
        from snapshot.keys.opening import open_keyring
        from snapshot.place import StoreFile
        path, kek, lost = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
        ring = open_keyring(StoreFile(path), in_file(kek), SystemClock(), create=False)
        ring.destroy([lost], datetime.now(UTC))
        ring.close()
    """
    command = [sys.executable, "-c", code, str(rig.path), str(rig.kek), str(lost)]
    subprocess.run(command, check=True, timeout=60)
    assert ring.fetch(made) == made | {lost: None}


def test_the_memory_is_bounded_and_still_right(rig):
    rig.open().close()
    ring = rig.open()
    small = Keyring(ring.engine, rig.source, rig.clock, limit=10)
    made = dict(small.make(100))
    assert small.fetch(made) == made
    assert small.fetch(reversed(made)) == made
    assert len(small._cache) == 10  # noqa: SLF001 -- the bound is not seen from outside


# --- what is refused -------------------------------------------------------------------------


def test_a_lost_key_store_is_not_quietly_made_anew(rig):
    with pytest.raises(KeyMissing, match="there is no key store at") as caught:
        rig.open(create=False)
    assert "crmtrail key --restore" in caught.value.hint
    assert not rig.path.exists()
    rig.path.touch(mode=0o600)
    with pytest.raises(KeyMissing):
        rig.open(create=False)


def test_a_lost_kek_is_not_quietly_made_anew(rig):
    rig.open().make(1)
    rig.kek.unlink()
    for create in (True, False):
        with pytest.raises(Mistake, match="the key-encryption key is missing"):
            rig.open(create=create)
    assert not rig.kek.exists()


def test_another_kek_is_refused(rig):
    rig.open().make(1)
    in_file(rig.kek).write((fresh_kek(),))
    with pytest.raises(Mistake, match="wrapped under another key-encryption key"):
        rig.open()


def test_a_kek_that_only_a_person_can_give_is_asked_for_before_anything_is_made(rig):
    with pytest.raises(Mistake, match="CRM_KEK holds none"):
        open_keyring(rig.place, in_environment("CRM_KEK", {}), rig.clock, create=True)
    assert not list(rig.folder.iterdir())


def test_something_else_is_told(rig):
    rig.path.write_text("no database at all, but longer than a header of SQLite would be" * 20)
    with pytest.raises(NoStore, match="cannot be opened"):
        rig.open()
    rig.path.unlink()
    raw = DRIVER.connect(rig.path)
    raw.execute("CREATE TABLE song (title TEXT)")
    raw.close()
    with pytest.raises(NoStore, match="is a database, but no key store"):
        rig.open()


def test_a_newer_form_is_told(rig):
    with writing(rig.open().engine) as connection:
        connection.exec_driver_sql("UPDATE ring SET format = 2")
    with pytest.raises(NoStore, match="newer crmtrail"):
        rig.open()


def test_an_altered_key_does_not_open(rig):
    ring = rig.open()
    ((key_id, _),) = ring.make(1)
    with writing(ring.engine) as connection:
        connection.exec_driver_sql(
            "UPDATE subject_key SET wrapped = ? WHERE key_id = ?", (bytes(40), key_id)
        )
    with pytest.raises(Unsealable, match="does not open under its key-encryption key"):
        rig.open().fetch([key_id])


def test_keys_lie_beside_the_store_unless_the_config_says_otherwise():
    assert key_place(KeysConfig(), STORE) == StoreFile(place_of(STORE).path.parent / "crm-keys.db")
    other = KeysConfig(url="sqlite:////elsewhere/k.db")
    assert str(key_place(other, STORE)) == "/elsewhere/k.db"
    with pytest.raises(Mistake, match=r"keys\.url names the store"):
        key_place(KeysConfig(url=STORE), STORE)
    with pytest.raises(Mistake, match=r"keys\.url has to be named"):
        key_place(KeysConfig(), "postgresql://ana@db/crm")


def test_a_configuration_opens_its_keys(tmp_path, rig):
    store = f"sqlite:///{tmp_path}/crm.db"
    ring = open_keys(KeysConfig(), store, {}, rig.clock, create=True)
    made = dict(ring.make(2))
    ring.close()
    assert rig.open(create=False).fetch(made) == made
