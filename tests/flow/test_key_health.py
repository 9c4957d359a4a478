"""What `crmtrail doctor` finds of the key store."""

from datetime import timedelta

import pytest

from crmtrail.keys_config import KeysConfig
from snapshot.database import writing
from snapshot.keys.copying import backup_keys
from snapshot.keys.health import StoreKnows, examine_keys
from snapshot.keys.kek import fresh_kek
from snapshot.keys.restoring import NamedKeys
from support.key_rig import key_rig
from support.readings import T0


@pytest.fixture
def rig(tmp_path):
    with key_rig(tmp_path) as made:
        yield made


def examined(rig, *, keys=None, known=None, environ=None):
    store = f"sqlite:///{rig.folder}/crm.db"
    found = examine_keys(keys or KeysConfig(), store, environ or {}, rig.clock, known)
    return {one.name: one for one in found}


def knows(*destroyed, store_id="store-1", highest=10):
    return StoreKnows(store_id, NamedKeys(frozenset(destroyed), highest))


def elsewhere(rig):
    """Return a config whose KEK lies in a folder of its own."""
    folder = rig.folder / "kek"
    folder.mkdir()
    rig.kek.rename(folder / "k")
    return KeysConfig.model_validate({"kek": {"path": folder / "k"}})


def test_before_the_first_sync_there_is_none_yet(rig):
    found = examined(rig)["keys"]
    assert found.ok
    assert "none yet" in found.detail
    assert not list(rig.folder.iterdir()), "looking makes nothing"


def test_without_sealing_that_is_said(rig):
    found = examined(rig, keys=KeysConfig(seal="none"))["keys"]
    assert found.ok
    assert "whoever can read the store" in found.detail


def test_a_kek_that_a_person_has_to_give_is_asked_for_at_once(rig):
    keys = KeysConfig.model_validate({"kek": {"from": "env", "variable": "CRM_KEK"}})
    found = examined(rig, keys=keys)["keys"]
    assert (found.ok, found.exit_code) == (False, 2)
    assert "CRM_KEK holds none" in found.detail


def test_a_sound_key_store_is_counted(rig):
    ring = rig.open()
    ring.bind("store-1")
    ring.make(10)
    ring.destroy([1], T0)
    found = examined(rig, keys=elsewhere(rig), known=knows(1))
    assert all(one.ok for one in found.values())
    assert found["keys"].detail == f"{rig.path}, 9 keys, 1 destroyed"
    assert set(found) == {"keys", "key permissions"}


def test_a_lost_key_store_is_told_apart_from_none_yet(rig):
    found = examined(rig, known=knows())["keys"]
    assert not found.ok
    assert "there is no key store" in found.detail
    assert examined(rig, known=knows(highest=0))["keys"].ok


def test_a_wrong_kek_is_told(rig):
    rig.open().make(1)
    rig.source.write((fresh_kek(),))
    found = examined(rig)["keys"]
    assert not found.ok
    assert "another key-encryption key" in found.detail


def test_keys_of_another_store_are_told(rig):
    rig.open().bind("store-2")
    found = examined(rig, known=knows())["keys"]
    assert not found.ok
    assert "belongs to another store" in found.detail


def test_keys_that_came_back_to_life_are_told(rig):
    rig.open().make(10)
    found = examined(rig, known=knows(3, 4))["keys"]
    assert not found.ok
    assert "2 keys of erased records are back" in found.detail
    assert "crmtrail key --restore" in found.hint


def test_a_rotation_that_did_not_end_is_told(rig):
    ring = rig.open()
    ring.make(10)
    (old,) = rig.source.read()
    rig.source.write((fresh_kek(), old))
    with writing(ring.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO kek (kek_no, fingerprint, since) VALUES (2, ?, 0)", (bytes(8),)
        )
        connection.exec_driver_sql("UPDATE ring SET kek_no = 2")
    found = examined(rig)["keys"]
    assert found.ok
    assert "10 under an old KEK" in found.detail
    assert "--rotate-kek" in found.hint


def test_a_key_store_that_others_can_read_is_told(rig):
    rig.open()
    rig.path.chmod(0o644)
    found = examined(rig)["key permissions"]
    assert not found.ok
    assert found.hint == f"chmod 600 {rig.path}"


def test_a_kek_beside_the_store_is_a_hint_and_no_failure(rig):
    rig.open()
    found = examined(rig)["key-encryption key"]
    assert found.ok
    assert "same folder as the store" in found.detail
    assert "keys.kek.path" in found.hint


def test_old_copies_beside_the_store_are_told(rig):
    ring = rig.open()
    backup_keys(ring, rig.folder / "young.db", T0)
    backup_keys(ring, rig.folder / "old.db", T0 - timedelta(days=31))
    found = examined(rig)["key copies"]
    assert not found.ok
    assert "1 older than 30 days" in found.detail
    assert "old.db" in found.detail
    assert "young.db" not in found.detail
    (rig.folder / "old.db").unlink()
    assert "key copies" not in examined(rig)
