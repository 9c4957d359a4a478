"""The keys to personal data, through the command line: made by the first sync, asked for late."""

import pytest

from support.cli import Folder, config_for
from support.sandbox import running_sandbox

KEYS = ("crm-keys.db", "crm-keys.kek")


@pytest.fixture(scope="module")
def crm():
    with running_sandbox() as running:
        yield running


@pytest.fixture
def folder(crm, tmp_path):
    return made(crm, tmp_path)


def made(crm, path, extra=""):
    server, sandbox = crm
    return Folder(path, config_for(server.url, sandbox, path / "crm.db", extra=extra))


def a_contact(crm):
    _, sandbox = crm
    return next(one for one in sandbox.truth("salesforce", "Contact") if one["Email"])


def bytes_of(folder):
    return b"".join(one.read_bytes() for one in folder.path.glob("crm.db*"))


def refused(folder, *arguments, code, words):
    ended = folder.crmtrail(*arguments)
    assert ended.code == code, ended
    error = ended.json["error"]
    assert words in error["message"], error
    assert error["hint"]


def failed(folder, words, target="sf:Contact"):
    ended = folder.crmtrail("sync", target)
    assert ended.code != 0, ended
    told = ended.json
    error = told["error"] if "error" in told else told["runs"][0]["error"]
    assert words in error["message"], error


def test_the_first_sync_makes_the_keys_and_what_is_of_persons_is_sealed(folder, crm):
    folder.ok("sync", "sf:Contact", "sf:Account")
    for name in KEYS:
        assert (folder.path / name).stat().st_mode & 0o077 == 0
    contact = a_contact(crm)
    assert contact["Email"].encode() not in bytes_of(folder)
    shown = folder.ok("show", f"sf:Contact:{contact['Id']}")
    assert shown["fields"]["Email"] == contact["Email"]
    (keys,) = [one for one in folder.crmtrail("doctor").json["checks"] if one["name"] == "keys"]
    assert keys["ok"], keys


def test_what_reads_no_sealed_value_needs_no_keys(folder):
    folder.ok("sync", "sf:Contact")
    for name in KEYS:
        (folder.path / name).unlink()
    for command in ("status", "verify", "checkpoint", "incidents", "plans", "key", "actions"):
        folder.ok(command)
    assert not any((folder.path / name).exists() for name in KEYS), "none is made anew"


def test_without_the_key_store_sealed_values_are_refused_and_not_told_as_erased(folder, crm):
    folder.ok("sync", "sf:Contact")
    (folder.path / KEYS[0]).unlink()
    record = f"sf:Contact:{a_contact(crm)['Id']}"
    for command in (("show", record), ("blame", record)):
        refused(folder, *command, code=1, words="there is no key store at")
    asked = len(crm[1].requests())
    failed(folder, "there is no key store at")
    assert len(crm[1].requests()) == asked, "the CRM is not asked for what could not be kept"


def test_without_the_key_encryption_key_likewise(folder, crm):
    folder.ok("sync", "sf:Contact")
    (folder.path / KEYS[1]).unlink()
    record = f"sf:Contact:{a_contact(crm)['Id']}"
    refused(folder, "show", record, code=2, words="the key-encryption key is missing")
    failed(folder, "the key-encryption key is missing")


def test_the_key_store_of_another_store_is_refused(crm, tmp_path):
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folders.append(made(crm, tmp_path / name))
        folders[-1].ok("sync", "sf:Contact")
    one, two = folders
    for name in KEYS:
        (two.path / name).write_bytes((one.path / name).read_bytes())
    record = f"sf:Contact:{a_contact(crm)['Id']}"
    refused(two, "show", record, code=2, words="belongs to another store")
    failed(two, "belongs to another store")


def test_nothing_is_sealed_where_the_config_says_so(crm, tmp_path):
    folder = made(crm, tmp_path, extra="keys: {seal: none}\n")
    folder.ok("sync", "sf:Contact", "sf:Account")
    assert not any((folder.path / name).exists() for name in KEYS)
    contact = a_contact(crm)
    shown = folder.ok("show", f"sf:Contact:{contact['Id']}")
    assert shown["fields"]["Email"] == contact["Email"]


def test_everything_is_sealed_where_the_config_says_so(crm, tmp_path):
    folder = made(crm, tmp_path, extra="keys: {seal: all}\n")
    folder.ok("sync", "sf:Account")
    account = crm[1].truth("salesforce", "Account")[0]
    assert account["Name"].encode() not in bytes_of(folder)
    shown = folder.ok("show", f"sf:Account:{account['Id']}")
    assert shown["fields"]["Name"] == account["Name"]


def test_sealing_can_be_switched_on_later(crm, tmp_path):
    folder = made(crm, tmp_path, extra="keys: {seal: none}\n")
    folder.ok("sync", "sf:Account")
    text = folder.config.read_text()
    folder.config.write_text(text.replace("keys: {seal: none}\n", ""))
    folder.ok("sync", "sf:Contact")
    assert a_contact(crm)["Email"].encode() not in bytes_of(folder)
    assert folder.ok("verify")["ok"]
