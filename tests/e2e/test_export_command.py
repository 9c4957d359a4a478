"""Records, and the store itself, taken out and put back through the command line."""

import csv
import io
import json
import subprocess
from contextlib import closing

import pytest

from crmtrail.cli.export import _FORMATS
from crmtrail.reports.export import FORMATS
from snapshot.database import DRIVER
from support.cli import Folder, config_for
from support.killable import PROGRAM
from support.sandbox import running_sandbox
from support.tables import csv_rows, json_rows, parquet_rows, sheet_rows

READ = {"csv": csv_rows, "jsonl": json_rows, "parquet": parquet_rows, "xlsx": sheet_rows}


@pytest.fixture
def world(tmp_path):
    with running_sandbox() as (server, crm):
        folder = Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db"))
        folder.ok("sync", "sf:Contact", "hs:deals")
        yield folder, crm


def refused(ended, code, words):
    assert ended.code == code, ended
    error = ended.json["error"]
    assert words in error["message"] + error["hint"], error
    assert "\n" not in error["message"]


def live(crm, vendor, object_):
    return [one for one in crm.truth(vendor, object_) if not one["deleted"]]


# --- export --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", _FORMATS)
def test_every_live_record_is_in_the_file(world, format_):
    folder, crm = world
    path = folder.path / f"contacts.{format_}"
    done = folder.ok("export", "sf:Contact", "--format", format_, "--to", str(path))
    assert (done["path"], done["cut_cells"]) == (str(path), 0)
    truth = live(crm, "salesforce", "Contact")
    found = READ[format_](path)
    assert done["rows"] == len(found) == len(truth) > 0
    ids = [row["record"].split(":")[2] if format_ == "jsonl" else row["_id"] for row in found]
    told = [id_[1] if format_ == "xlsx" else id_ for id_ in ids]
    assert told == sorted(one["Id"] for one in truth)


def test_the_values_are_those_of_the_crm_and_of_show(world):
    folder, crm = world
    path = folder.path / "contacts.jsonl"
    folder.ok("export", "sf:Contact", "--to", str(path))
    truth = {one["Id"]: one for one in crm.truth("salesforce", "Contact")}
    lines = json_rows(path)
    for row in lines:
        _, _, id_ = row["record"].split(":")
        assert row["fields"]["Email"] == truth[id_]["Email"]
    shown = folder.ok("show", lines[0]["record"])
    assert lines[0] == {key: one for key, one in shown.items() if key in lines[0]}


def test_numbers_that_hubspot_writes_as_texts_are_numbers_in_a_sheet(world):
    folder, _ = world
    path = folder.path / "deals.xlsx"
    folder.ok("export", "hs:deals", "--to", str(path))
    kinds = {row["amount"][0] for row in sheet_rows(path) if row["amount"][1] is not None}
    assert kinds == {"n"}


def test_an_earlier_time_and_deleted_records(world):
    folder, crm = world
    before = live(crm, "salesforce", "Contact")
    (synced,) = folder.ok("sync", "sf:Contact")["runs"]
    gone = before[0]["Id"]
    user = {"kind": "user", "id": crm.people("salesforce")["users"][0]["id"]}
    crm.turn(60)
    crm.act("salesforce", **{"as": user}, do="delete", object="Contact", records=[{"id": gone}])
    folder.ok("sync", "sf:Contact")
    path = folder.path / "out.csv"
    to = ("--to", str(path), "--force")
    assert folder.ok("export", "sf:Contact", *to)["rows"] == len(before) - 1
    assert folder.ok("export", "sf:Contact", "--deleted", *to)["rows"] == len(before)
    deleted = [row["_id"] for row in csv_rows(path) if row["_deleted"] == "true"]
    assert deleted == [gone]
    then = synced["complete_to"]
    assert folder.ok("export", "sf:Contact", "--at", then, *to)["rows"] == len(before)
    assert folder.ok("export", "sf:Contact", "--at", "1999-01-01", *to)["rows"] == 0


def test_standard_output_holds_the_table_and_nothing_else(world):
    folder, crm = world
    command = (PROGRAM, "--config", folder.config, "export", "sf:Contact")
    done = subprocess.run(
        [*command, "--format", "csv", "--to", "-"], capture_output=True, check=True
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert len(rows) == len(live(crm, "salesforce", "Contact"))
    assert b"records, sealed as entry" in done.stderr
    lines = subprocess.run(
        [*command, "--format", "jsonl", "--to", "-"], capture_output=True, check=True
    )
    assert len([json.loads(line) for line in lines.stdout.splitlines()]) == len(rows)


def test_every_export_is_in_the_ledger(world):
    folder, _ = world
    done = folder.ok("export", "sf:Contact", "--to", str(folder.path / "out.csv"))
    with closing(DRIVER.connect(folder.path / "store.db")) as raw:
        kind, entry = raw.execute(
            "SELECT kind, entry FROM leaf WHERE idx = ?", (done["ledger"]["leaf"],)
        ).fetchone()
    told = json.loads(entry)["entry"]
    assert (kind, told["by"], told["rows"]) == ("export", "ana", done["rows"])
    assert (told["object"], told["sha256"]) == ("Contact", done["sha256"])
    assert folder.ok("verify")["ok"] is True


def test_the_command_offers_every_format():
    assert set(_FORMATS) == set(FORMATS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense", "--to", "x.csv"), "source:object"),
        (("sf:Contact:1", "--to", "x.csv"), "source:object"),
        (("sf:Lead", "--to", "x.csv"), "sf:Lead is not in the store"),
        (("sf:Contact", "--to", "x.doc"), "which format"),
        (("sf:Contact", "--to", "-", "--format", "csv"), "both want standard output"),
        (("sf:Contact", "--to", "x.xlsx", "--raw"), "--raw is for csv"),
        (("sf:Contact", "--to", "/nowhere/x.csv"), "there is no folder"),
        (("sf:Contact", "--to", "crmtrail.yaml", "--format", "csv"), "exists already"),
        (("sf:Contact", "--to", "x.csv", "--at", "soonish"), "is no time"),
    ],
)
def test_wrong_orders_are_one_line_and_leave_nothing(world, arguments, words, monkeypatch):
    folder, _ = world
    monkeypatch.chdir(folder.path)
    before = sorted(folder.path.iterdir())
    refused(folder.crmtrail("export", *arguments), 2, words)
    assert sorted(folder.path.iterdir()) == before


# --- backup and restore --------------------------------------------------------------------------


def test_a_backup_is_restored_to_where_the_config_says(world):
    folder, crm = world
    copy, store = folder.path / "copy.db", folder.path / "store.db"
    made = folder.ok("backup", str(copy))
    assert (made["path"], made["bytes"]) == (str(copy), copy.stat().st_size)
    refused(folder.crmtrail("backup", str(copy)), 2, "exists already")
    refused(folder.crmtrail("restore-store", str(copy)), 2, "--force")

    crm.turn(60)
    person = live(crm, "salesforce", "Contact")[0]["Id"]
    crm.act(
        "salesforce",
        **{"as": {"kind": "app", "name": "Marketing Sync"}},
        do="update",
        object="Contact",
        records=[{"id": person, "fields": {"Phone": "+1 555 0100"}}],
    )
    folder.ok("sync", "sf:Contact")
    back = folder.ok("restore-store", str(copy), "--force")
    assert (back["entries"], back["root"]) == (made["entries"], made["root"])
    assert back["before"] == str(store.resolve()) + ".before-restore"
    assert folder.ok("show", f"sf:Contact:{person}")["version"] == 1
    assert folder.ok("verify")["ok"] is True
    assert folder.ok("checkpoint")["size"] == made["entries"] + 2, "its coming back, and the view"

    (run,) = folder.ok("sync", "sf:Contact")["runs"]
    assert run["updated"] == 1, "the next sync reads again what the backup had not"


def test_a_lost_store_comes_back_without_force(world):
    folder, _ = world
    made = folder.ok("backup", str(folder.path / "copy.db"))
    (folder.path / "store.db").unlink()
    back = folder.ok("restore-store", str(folder.path / "copy.db"))
    assert (back["entries"], back["before"]) == (made["entries"], None)
    assert folder.ok("status")["sources"][0]["objects"][0]["records"] > 0


def test_a_backup_during_a_sync_is_whole(world):
    folder, _ = world
    for name in ("store.db", "store-keys.db"):
        (folder.path / name).unlink()
    folder.ok("sync", "hs:deals")
    copies = []
    command = (PROGRAM, "--config", folder.config, "-q", "--json", "sync", "--full")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sync:
        while sync.poll() is None:
            copies.append(folder.path / f"copy-{len(copies)}.db")
            folder.ok("backup", str(copies[-1]))
        runs = json.loads(sync.stdout.read())["runs"]
    assert {run["state"] for run in runs} == {"done"}
    sizes = []
    for copy in (copies[0], copies[len(copies) // 2], copies[-1]):
        place = folder.path / f"of-{copy.stem}"
        place.mkdir()
        other = Folder(place, folder.config.read_text().replace("store.db", copy.name))
        verified = other.ok("verify")
        assert verified["ok"] is True
        sizes.append(verified["entries"])
    assert sizes == sorted(sizes)
    assert sizes[-1] - sizes[0] > len(copies), "the sync went on between the backups"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, 10, "there is no backup"),
        (b"", 10, "no crmtrail store"),
        (b"shopping list\n" * 100, 10, "no crmtrail store"),
    ],
)
def test_what_is_no_backup_is_refused(world, content, code, words):
    folder, _ = world
    source, store = folder.path / "copy.db", folder.path / "store.db"
    if content is not None:
        source.write_bytes(content)
    before = store.read_bytes()
    refused(folder.crmtrail("restore-store", str(source), "--force"), code, words)
    assert store.read_bytes() == before


def test_a_tampered_backup_is_refused_with_the_code_of_verification(world):
    folder, _ = world
    copy, store = folder.path / "copy.db", folder.path / "store.db"
    folder.ok("backup", str(copy))
    with closing(DRIVER.connect(copy)) as raw:
        raw.execute("UPDATE record SET deleted = 1 WHERE record_id = 3")
        raw.commit()
    before = store.read_bytes()
    refused(folder.crmtrail("restore-store", str(copy), "--force"), 5, "was altered: record")
    assert store.read_bytes() == before
    assert not store.with_name("store.db.before-restore").exists()
