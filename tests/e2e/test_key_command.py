"""The care of the keys through the command line: copy, rotate, put back, examine."""

import pytest

from crmtrail.config import load
from snapshot.database import writing
from snapshot.engine import open_store
from snapshot.keys.kek_places import in_file
from snapshot.keys.opening import open_keys
from support.cli import Folder, config_for
from support.readings import HandClock


@pytest.fixture
def folder(sandbox: tuple, tmp_path):
    server, crm = sandbox
    made = Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db"))
    made.ok("sync", "sf:Contact")
    return made


def keys_of(folder):
    config = load(folder.config, {})
    return open_keys(config.keys, config.store.url, {}, HandClock(), create=True)


@pytest.fixture
def made(folder):
    """Keys beside those of the sync, and the key store closed again."""
    ring = keys_of(folder)
    found = dict(ring.make(20))
    ring.close()
    return found


def refused(folder, *arguments, code, words):
    ended = folder.crmtrail(*arguments)
    assert ended.code == code, ended
    assert words in ended.json["error"]["message"], ended
    return ended.json["error"]


def test_keys_are_copied_rotated_and_put_back(folder, made):
    copy = folder.path / "copy.db"
    told = folder.ok("key", "--backup", str(copy))
    assert told["path"] == str(copy)
    assert told["keys"] >= 20
    before = in_file(folder.path / "store-keys.kek").read()
    done = folder.ok("key", "--rotate-kek")
    assert (done["rotated"], done["resumed"], done["to_do"]) == (told["keys"] + 1, False, "")
    after = in_file(folder.path / "store-keys.kek").read()
    assert len(after) == 1
    assert after != before

    for path in folder.path.glob("store-keys.db*"):
        path.unlink()
    error = refused(folder, "key", "--rotate-kek", code=1, words="there is no key store at")
    assert "--restore" in error["hint"]
    refused(folder, "key", "--restore", str(copy), code=2, words="is not there")
    in_file(folder.path / "store-keys.kek").write((*after, *before))
    back = folder.ok("key", "--restore", str(copy))
    assert (back["added"], back["left_out"]) == (told["keys"], 0)
    ring = keys_of(folder)
    assert ring.fetch(made) == made
    ring.close()
    assert folder.ok("verify")["ok"], "each of these is in the ledger"


def test_an_erased_record_does_not_come_back_from_a_copy(folder, made):
    copy = folder.path / "copy.db"
    folder.ok("key", "--backup", str(copy))
    store = open_store(f"sqlite:///{folder.path / 'store.db'}", HandClock(), create=False)
    with writing(store.engine) as connection:
        connection.exec_driver_sql(
            "UPDATE record SET key_id = ?, erased_at = 1 WHERE record_id = 1", (min(made),)
        )
    store.close()
    for path in folder.path.glob("store-keys.db*"):
        path.unlink()
    assert folder.ok("key", "--restore", str(copy))["left_out"] == 1
    ring = keys_of(folder)
    assert ring.fetch(made) == made | {min(made): None}
    ring.close()


def test_one_thing_at_a_time(folder):
    refused(folder, "key", "--rotate", "--rotate-kek", code=2, words="one at a time")
    refused(folder, "key", "--backup", "a", "--restore", "b", code=2, words="one at a time")


def test_people_are_told_what_to_do_next(folder, made):
    told = folder.crmtrail("key", "--backup", str(folder.path / "copy.db"), as_json=False)
    assert "Delete it by" in told.out
    told = folder.crmtrail("key", "--rotate-kek", as_json=False)
    assert f"{folder.path}/store-keys.kek. Keep a copy of it." in told.out.replace("\n", " ")


def test_doctor_looks_at_the_keys(folder, made):
    checks = {one["name"]: one for one in folder.crmtrail("doctor").json["checks"]}
    assert checks["keys"]["ok"], checks["keys"]
    assert "same folder as the store" in checks["key-encryption key"]["detail"]
    (folder.path / "store-keys.db").chmod(0o644)
    checks = {one["name"]: one for one in folder.crmtrail("doctor").json["checks"]}
    assert not checks["key permissions"]["ok"]
