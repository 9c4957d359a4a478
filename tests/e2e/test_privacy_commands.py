"""Erase, hold and retain from the command line, against the sandbox CRM."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.cli import Folder, config_for
from support.sandbox import running_sandbox

ROOT = Path(__file__).parents[2]
RETENTION = "retention: [{source: sf, object: '*', keep: 1d}]\n"


@pytest.fixture
def folder(tmp_path) -> Iterator[Folder]:
    with running_sandbox() as (server, crm):
        made = Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db", extra=RETENTION))
        made.ok("sync", "sf:Contact", "hs:contacts")
        made.crm = crm
        yield made
        assert made.ok("verify")["ok"]


def someone(folder: Folder) -> tuple[str, str]:
    """Return the record of a person with an address, and the address."""
    found = next(one for one in folder.crm.truth("salesforce", "Contact") if one["Email"])
    return f"sf:Contact:{found['Id']}", found["Email"]


def all_bytes(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.rglob("*") if one.is_file())


def test_a_person_is_erased_with_a_certificate_that_an_auditor_checks(folder):
    record, address = someone(folder)
    folder.ok("export", "sf:Contact", "--format", "csv", "--to", str(folder.path / "out.csv"))
    seen = folder.ok("erase", address, "--dry-run")
    assert record in {one["record"] for one in seen["records"]}
    assert seen["erased"] == seen["entries"] == []
    assert [one["to"] for one in seen["exports"]] == ["out.csv"]

    to = folder.path / "certificate.json"
    done = folder.ok("erase", address, "--why", "request 7", "--yes", "--certificate", str(to))
    assert record in done["erased"]
    assert done["certificate"]["entry"] == done["entries"][0]
    assert json.loads(to.read_text())["counts"]["keys"] == len(done["erased"])
    assert "request 7" in to.with_name("certificate.json.txt").read_text()
    assert address not in to.read_text() + to.with_name("certificate.json.txt").read_text()
    assert address not in json.dumps([seen, done])
    (folder.path / "out.csv").unlink()
    assert address.encode() not in all_bytes(folder.path)

    key = folder.ok("key")["current"]
    verifier = ROOT / "snapshot" / "auditor" / "verify.py"
    proof = to.with_name("certificate.json.tlog-proof")
    told = subprocess.run(
        [sys.executable, verifier, "--key", key, "proof", proof],
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr

    shown = folder.ok("show", record)
    assert "Email" in shown["erased"]
    assert shown["fields"]["Email"] is None
    folder.ok("sync", "sf:Contact")
    assert folder.ok("show", record) == shown
    again = folder.ok("erase", record, "--why", "request 8", "--yes")
    assert (again["versions"], again["entries"]) == (0, done["entries"])


def test_it_asks_before_it_erases(folder):
    record, _ = someone(folder)
    refused = folder.crmtrail("erase", record, "--why", "request 7")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "erased" not in folder.ok("show", record)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "SUBJECT"),
        (("sf:Contact:1", "--replay"), "SUBJECT"),
        (("nobody", "--yes", "--why", "x"), "names nobody"),
        (("sf:Contact:1", "--yes", "--why", "x"), "no record"),
        (("x@y.example", "--yes", "--why", "x"), "under this address"),
    ],
)
def test_what_cannot_be_erased_is_told_in_one_line(folder, arguments, why):
    refused = folder.crmtrail("erase", *arguments)
    assert refused.code == 2
    assert why in refused.err


def test_a_hold_wins(folder):
    record, address = someone(folder)
    made = folder.ok("hold", "add", address, "--why", "case 9", "--until", "2099-01-01")
    assert (made["state"], made["why"]) == ("in force", "case 9")
    refused = folder.crmtrail("erase", record, "--why", "request 7", "--yes")
    assert refused.code == 1
    assert "case 9" in refused.json["error"]["message"]
    assert [one["id"] for one in folder.ok("hold", "list")["holds"]] == [made["id"]]
    folder.ok("hold", "release", str(made["id"]), "--why", "settled")
    assert folder.ok("hold", "list")["holds"][0]["released"]["why"] == "settled"
    assert folder.ok("erase", record, "--why", "request 7", "--yes")["erased"] == [record]


@pytest.mark.parametrize(
    "arguments",
    [
        ("add",),
        ("list", "sf:Contact"),
        ("release", "x", "--why", "y"),
        ("release", "1", "--why", "y"),
        ("add", "sf:Contact", "--why", ""),
        ("release", "1", "--why", "y", "--until", "2099-01-01"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(folder, arguments):
    assert folder.crmtrail("hold", *arguments).code == 2


def test_retention_is_shown_then_applied(tmp_path):
    with running_sandbox() as (server, crm):
        config = config_for(server.url, crm, tmp_path / "store.db", extra=RETENTION)
        folder = Folder(tmp_path, config)
        crm.freeze((datetime.now(UTC) - timedelta(days=3)).isoformat())
        folder.ok("sync", "sf:Contact")
        person = next(one["Id"] for one in crm.truth("salesforce", "Contact"))
        for value in ("+1 555 1", "+1 555 2"):
            crm.turn(3_600)
            crm.act(
                "salesforce",
                **{"as": {"kind": "user", "name": "Priya Raman"}},
                do="update",
                object="Contact",
                records=[{"id": person, "fields": {"Phone": value}}],
            )
            folder.ok("sync", "sf:Contact")

        (preview,) = folder.ok("retention", "preview")["rules"]
        assert (preview["records"], preview["versions"], preview["states"]) == (1, 2, 1)
        refused = folder.crmtrail("retention", "apply")
        assert (refused.code, "--yes" in refused.err) == (2, True)
        (done,) = folder.ok("retention", "apply", "--yes")["rules"]
        assert done | {"entries": [], "limit": preview["limit"]} == preview
        assert len(done["entries"]) >= 1
        assert folder.ok("verify")["ok"]
        record = f"sf:Contact:{person}"
        assert folder.ok("show", record)["fields"]["Phone"] == "+1 555 2"
        changes = [
            one for each in folder.ok("history", record)["versions"] for one in each["changes"]
        ]
        assert {tuple(one["erased"]) for one in changes if one["field"] == "Phone"} == {
            ("old", "new")
        }
        assert folder.ok("retention", "apply")["rules"][0]["versions"] == 0
