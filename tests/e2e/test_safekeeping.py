"""Moving the store and encrypted backups, through the command line."""

import os
from datetime import timedelta

import pyrage
import pytest

from crmtrail.app import App
from crmtrail.config import load
from crmtrail.safekeeping import migrate
from scheduler.lease import SqlLeases, this_process
from snapshot.engine import open_store
from snapshot.leaves import entry_at
from support.cli import Folder, config_for
from support.postgres_server import fresh_database
from support.readings import HandClock
from support.sandbox import running_sandbox

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def crm():
    with running_sandbox() as running:
        yield running


@pytest.fixture
def folder(crm, tmp_path):
    server, sandbox = crm
    (tmp_path / "home").mkdir()
    made = Folder(tmp_path / "home", config_for(server.url, sandbox, tmp_path / "home" / "crm.db"))
    made.ok("sync", "sf:Contact")
    return made


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def refused(folder, *arguments, code=2, words):
    ended = folder.crmtrail(*arguments)
    assert ended.code == code, ended
    assert words in ended.json["error"]["message"]
    return ended.json["error"]


# --- moving --------------------------------------------------------------------------------------


def contact(folder):
    (change, *_) = folder.ok("log", "--op", "baseline", "--limit", "1")["changes"]
    return folder.ok("show", change["record"])["fields"]


def test_a_store_moves_to_a_server_and_back_by_what_is_printed(folder, tmp_path):
    known = contact(folder)
    with fresh_database() as url:
        done = folder.ok("store", "migrate-to", url)
        assert done["rows"]["record"] > 0
        text = folder.config.read_text()
        there = tmp_path / "there"
        there.mkdir()
        settings = done["config"]
        text = text.replace(f"sqlite:///{folder.path}/crm.db", settings["store.url"])
        text += f"keys: {{url: '{settings['keys.url']}'}}\n"
        text += f"ledger: {{key_file: '{settings['ledger.key_file']}'}}\n"
        moved = Folder(there, text)
        told = moved.ok("verify")
        assert (told["entries"], told["root"]) == (done["entries"], done["root"])
        assert contact(moved) == known
        assert moved.ok("sync", "sf:Contact")["runs"][0]["state"] == "done"
        assert moved.ok("key")["current"] == folder.ok("key")["current"]
        back = moved.ok("store", "migrate-to", f"sqlite:///{tmp_path}/back.db")
        assert (tmp_path / "back.db").stat().st_mode & 0o077 == 0
        moved.config.write_text(moved.config.read_text().replace(url, back["config"]["store.url"]))
        assert moved.ok("verify")["entries"] == back["entries"] > done["entries"]
        assert contact(moved) == known


def test_what_is_to_be_written_is_told_to_people(folder, tmp_path):
    ended = folder.crmtrail("store", "migrate-to", f"sqlite:///{tmp_path}/new.db", as_json=False)
    assert ended.code == 0, ended.err
    for line in (f"store.url: sqlite:///{tmp_path}/new.db", "keys.url: ", "leave "):
        assert line in ended.out
    assert sorted(one.name for one in tmp_path.iterdir()) == ["home", "new.db"]


def test_places_that_cannot_be(folder, tmp_path):
    own = f"sqlite:///{folder.path}/crm.db"
    refused(folder, "store", "migrate-to", own, words="is at")
    (tmp_path / "there.db").write_text("")
    refused(folder, "store", "migrate-to", f"sqlite:///{tmp_path}/there.db", words="exists already")
    refused(folder, "store", "migrate-to", "mysql://x/y", words="not a kind of store")
    refused(folder, "store", "migrate-to", f"sqlite:///{tmp_path}/no/x.db", words="no folder")


# --- encrypted backups ---------------------------------------------------------------------------


@pytest.fixture
def identity(tmp_path):
    made = pyrage.x25519.Identity.generate()
    return private(tmp_path / "identity", f"# mine\n{made}\n"), str(made.to_public())


def test_a_backup_to_a_recipient_is_opened_by_its_identity_alone(folder, tmp_path, identity):
    file, public = identity
    sealed = tmp_path / "copy.age"
    done = folder.ok("backup", str(sealed), "--encrypt", "--recipient", public)
    assert (done["encrypted"], done["keys_included"]) == ("age", False)
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n")
    assert sealed.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.age", "home", "identity"]
    refused(folder, "restore-store", str(sealed), "--force", words="is encrypted")
    other = private(tmp_path / "other", str(pyrage.x25519.Identity.generate()))
    wrong = ("restore-store", str(sealed), "--force", "--identity", str(other))
    refused(folder, *wrong, words="does not open")
    back = folder.ok("restore-store", str(sealed), "--force", "--identity", str(file))
    assert (back["entries"], back["root"]) == (done["entries"], done["root"])
    assert folder.ok("verify")["ok"]
    assert contact(folder)["Id"]


def test_a_backup_under_a_passphrase(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKUP_WORDS", PASSPHRASE)
    sealed = tmp_path / "copy.age"
    words = private(tmp_path / "words", f"{PASSPHRASE}\n")
    done = folder.ok("backup", str(sealed), "--encrypt", "--passphrase-file", str(words))
    assert done["encrypted"] == "age"
    wrong = private(tmp_path / "wrong", "another passphrase\n")
    given = ("restore-store", str(sealed), "--force", "--passphrase-file")
    refused(folder, *given, str(wrong), words="does not open")
    back = folder.ok("restore-store", str(sealed), "--force", "--passphrase-env", "BACKUP_WORDS")
    assert back["root"] == done["root"]


def test_a_cut_encrypted_backup_is_refused(folder, tmp_path, identity):
    file, public = identity
    sealed = tmp_path / "copy.age"
    folder.ok("backup", str(sealed), "--recipient", public)
    sealed.write_bytes(sealed.read_bytes()[:-100])
    given = ("restore-store", str(sealed), "--force", "--identity", str(file))
    refused(folder, *given, words="cut off")


def test_how_a_backup_cannot_be_encrypted(folder, tmp_path, identity):
    to = str(tmp_path / "copy.age")
    _, public = identity
    short, long = private(tmp_path / "short", "short\n"), private(tmp_path / "long", PASSPHRASE)
    readable = private(tmp_path / "readable", PASSPHRASE)
    readable.chmod(0o644)
    for words, options in (
        ("to recipients, or under a passphrase", ("--encrypt",)),
        ("is no recipient", ("--recipient", "age1nonsense")),
        ("fewer than 12", ("--passphrase-file", short)),
        ("can be read by others", ("--passphrase-file", readable)),
        ("there is no passphrase in NOT_SET", ("--passphrase-env", "NOT_SET")),
        ("to recipients, or under", ("--recipient", public, "--passphrase-file", long)),
        ("one of them", ("--passphrase-env", "NOT_SET", "--passphrase-file", long)),
    ):
        refused(folder, "backup", to, *map(str, options), words=words)
    assert not os.path.lexists(to)


def test_a_backup_says_inside_what_it_is_and_by_whom_it_was_signed(folder, tmp_path):
    copy = tmp_path / "copy.db"
    done = folder.ok("backup", str(copy))
    store = open_store(f"sqlite:///{copy}", HandClock())
    with store.engine.begin() as connection:
        told = entry_at(connection, done["entries"] - 1)
    store.close()
    assert (told["kind"], told["entry"]["entries"]) == ("backup", done["entries"] - 1)
    assert told["entry"]["note"] == done["note"]
    assert done["note"].split("\n")[1] == str(done["entries"] - 1)


@pytest.mark.parametrize("left", [b"shopping list", b"SQLite format 3\0" + bytes(4_000), b""])
def test_a_store_that_is_beyond_reading_can_be_replaced(folder, tmp_path, left):
    done = folder.ok("backup", str(tmp_path / "copy.db"))
    (folder.path / "crm.db").write_bytes(left)
    back = folder.ok("restore-store", str(tmp_path / "copy.db"), "--force")
    assert (back["root"], back["erased_again"]) == (done["root"], 0)
    assert folder.ok("verify")["ok"]


# --- erased persons stay erased ------------------------------------------------------------------


def test_whom_an_older_backup_brings_back_is_erased_again(folder, tmp_path):
    copy = tmp_path / "copy.db"
    folder.ok("backup", str(copy))
    (change, *_) = folder.ok("log", "--op", "baseline", "--limit", "1")["changes"]
    record = change["record"]
    address = folder.ok("show", record)["fields"]["Email"]
    folder.ok("erase", record, "--why", "request 7", "--yes")
    back = folder.ok("restore-store", str(copy), "--force")
    assert back["erased_again"] == 1
    assert folder.ok("verify")["ok"]
    shown = folder.crmtrail("show", record)
    assert (shown.code, address in shown.out) == (0, False)


def test_a_missing_key_store_is_told_and_the_backup_is_put_back_all_the_same(folder, tmp_path):
    copy = tmp_path / "copy.db"
    folder.ok("backup", str(copy))
    (folder.path / "crm-keys.db").rename(tmp_path / "keys-away.db")
    ended = folder.crmtrail("restore-store", str(copy), "--force")
    assert ended.code == 0, ended
    assert ended.json["erased_again"] is None
    assert "there is no key store" in ended.json["why"]
    assert "erasures were not replayed" in ended.err
    assert folder.ok("verify")["ok"], "needs no key"


# --- while somebody works ------------------------------------------------------------------------


@pytest.fixture
def app(folder):
    with App(load(folder.config)) as made:
        yield made


def test_a_store_that_is_worked_on_is_moved_once_that_has_ended(app, folder, tmp_path):
    leases = SqlLeases(app.store.engine, app.clock)
    lease = leases.acquire("sf", "Contact", this_process(), timedelta(minutes=5))
    new = f"sqlite:///{tmp_path}/new.db"
    refused(folder, "store", "migrate-to", new, code=11, words="sf:Contact is being worked on")
    told = []

    def ends(why):
        told.append(why)
        leases.release(lease)

    done = migrate(app, new, wait=True, waiting=ends)
    assert told == ["sf:Contact is being worked on"]
    assert (tmp_path / "new.db").exists()
    assert done.made.entries == app.store.checkpoint(app.clock.now()).size
