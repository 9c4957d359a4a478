"""The whole job with the store on a PostgreSQL server: sync, look, restore, prove, keep safe."""

import json

import pytest

from support.cli import Folder, config_for
from support.postgres_server import fresh_database, running
from support.sandbox import running_sandbox

BLANKED = 20


class Story:
    """A folder whose store is on a server, after a blanking overwrite that was put right."""

    def __init__(self, folder, crm, url):
        self.folder = folder
        self.crm = crm
        self.url = url
        self.said = {"sync": folder.ok("sync", "sf:Account", "sf:Contact")}
        self.hit = [one for one in crm.truth("salesforce", "Contact") if one["Phone"]][:BLANKED]
        blank = [{"id": one["Id"], "fields": {"Phone": None}} for one in self.hit]
        who = {"as": {"kind": "app", "name": "Marketing Sync"}, "object": "Contact"}
        crm.act("salesforce", **who, do="update", records=blank)
        folder.ok("sync", "sf:Contact")
        (self.incident,) = folder.ok("incidents")["incidents"]
        self.said["blanked"] = folder.ok("show", self.record)
        self.plan = folder.ok("plan", "--incident", self.incident["id"])["plan"]
        self.said["apply"] = folder.ok("apply", self.plan["id"], "--yes")

    @property
    def record(self):
        return f"sf:Contact:{self.hit[0]['Id']}"

    @property
    def database(self):
        return self.url.rpartition("/")[2]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    path = tmp_path_factory.mktemp("on-postgres")
    with fresh_database() as url, running_sandbox() as (server, crm):
        text = config_for(server.url, crm, path / "store.db")
        text = text.replace(f"sqlite:///{path}/store.db", url)
        yield Story(Folder(path, text), crm, url)


def test_a_sync_needs_nothing_but_the_url(story):
    assert {run["state"] for run in story.said["sync"]["runs"]} == {"done"}
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert running().run(tables, database=story.database)[0][0] > BLANKED


def test_keys_lie_beside_the_config_and_persons_are_sealed(story):
    names = {one.name for one in story.folder.path.iterdir()}
    assert {"crmtrail-keys.db", "crmtrail-keys.kek"} <= names
    assert "store.db" not in names
    told = "SELECT count(payload), count(*) FROM version WHERE op = 'update'"
    ((sealed, all_of_them),) = running().run(told, database=story.database)
    assert sealed == all_of_them == BLANKED


def test_everything_can_be_looked_at(story):
    assert story.said["blanked"]["fields"]["Phone"] is None
    assert story.folder.ok("show", story.record)["fields"]["Phone"] == story.hit[0]["Phone"]
    status = story.folder.ok("status")
    objects = {one["object"]: one for one in status["sources"][0]["objects"]}
    assert objects["Contact"]["records"] == len(story.crm.truth("salesforce", "Contact"))
    changes = story.folder.ok("log", "--object", "Contact", "--field", "Phone")["changes"]
    assert {change["op"] for change in changes} == {"update", "restore"}
    assert [made["op"] for made in story.folder.ok("history", story.record)["versions"]] == [
        "baseline",
        "update",
        "restore",
    ]


def test_an_incident_is_put_right(story):
    assert story.said["apply"]["receipt"]["outcomes"]["restored"] == BLANKED
    found = {one["Id"]: one["Phone"] for one in story.crm.truth("salesforce", "Contact")}
    assert all(found[one["Id"]] == one["Phone"] for one in story.hit)
    (incident,) = story.folder.ok("incidents", "--state", "resolved")["incidents"]
    assert incident["id"] == story.incident["id"]


def test_it_verifies_and_can_be_proven(story):
    assert story.folder.ok("verify")["ok"]
    assert story.folder.ok("prove", story.record, "--version", "3")["proof"]
    assert (story.folder.path / "crmtrail.key").exists()
    checks = {one["name"]: one for one in story.folder.crmtrail("doctor").json["checks"]}
    assert checks["store"]["ok"], checks["store"]
    assert checks["postgresql"]["detail"]
    assert checks["keys"]["ok"], checks["keys"]
    assert "store permissions" not in checks


def test_it_exports_and_what_is_sealed_is_opened(story, tmp_path):
    done = story.folder.ok("export", "sf:Contact", "--format", "jsonl", "--to", f"{tmp_path}/c")
    lines = (tmp_path / "c").read_text().splitlines()
    assert done["rows"] == len(lines) > BLANKED
    assert story.hit[0]["Phone"] in (tmp_path / "c").read_text()


def test_an_altered_database_fails_verification(story):
    alter = (
        "ALTER TABLE version DISABLE TRIGGER USER",
        "UPDATE version SET at = at + {0} WHERE version_id = 3",
        "ALTER TABLE version ENABLE TRIGGER USER",
    )
    running().run(*(one.format(1) for one in alter), database=story.database)
    ended = story.folder.crmtrail("verify")
    assert (ended.code, ended.json["first_bad"]["index"]) == (5, 3)
    running().run(*(one.format(-1) for one in alter), database=story.database)
    assert story.folder.ok("verify")["ok"]


def test_a_backup_is_a_file_that_becomes_a_store_of_either_kind(story, tmp_path):
    copy = tmp_path / "copy.db"
    done = story.folder.ok("backup", str(copy))
    assert copy.stat().st_mode & 0o077 == 0
    text = story.folder.config.read_text()
    keys = f"keys: {{url: 'sqlite:///{story.folder.path}/crmtrail-keys.db'}}\n"
    with fresh_database() as url:
        for number, place in enumerate((f"sqlite:///{tmp_path}/there.db", url)):
            (tmp_path / str(number)).mkdir()
            folder = Folder(tmp_path / str(number), text.replace(story.url, place) + keys)
            made = folder.ok("restore-store", str(copy))
            assert (made["entries"], made["root"]) == (done["entries"], done["root"])
            assert made["erased_again"] == 0
            assert folder.ok("verify")["ok"]
            shown = folder.ok("show", story.record)
            assert shown["fields"]["Phone"] == story.hit[0]["Phone"]
            again = folder.crmtrail("restore-store", str(copy))
            assert again.code == 2
            assert "there is a store at" in again.json["error"]["message"]


def test_no_password_is_ever_told(story):
    text = story.folder.config.read_text()
    with_password = story.url.replace("crmtrail@", "crmtrail:canary-word@")
    wrong = with_password.replace("127.0.0.1", "127.0.0.2")
    story.folder.config.write_text(text.replace(story.url, wrong))
    try:
        for command in (("status",), ("doctor",), ("sync",)):
            ended = story.folder.crmtrail(*command)
            assert ended.code != 0
            assert "canary-word" not in ended.out + ended.err
    finally:
        story.folder.config.write_text(text)
    assert json.loads(story.folder.crmtrail("status").out)
