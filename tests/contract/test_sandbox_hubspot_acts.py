"""Acts inside the sandbox's HubSpot, over the control API, end to end: who, when, by what."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from crmtrail.sandbox.client import Sandbox
from support.sandbox import running_sandbox

NOON = "2027-03-01T12:00:00+00:00"
STAMP = "2027-03-01T12:00:00.000Z"


class Portal:
    """The control client and one token of a running sandbox, its clock stopped at noon."""

    def __init__(self, control: Sandbox, session: requests.Session) -> None:
        self.control = control
        self.people = control.people("hubspot")
        self._session = session
        self._since = 0

    def act(self, do: str, by: dict[str, Any], **order: Any) -> list[str]:
        entries = self.control.journal(crm="hubspot")
        self._since = entries[-1]["seq"] if entries else 0
        ids: list[str] = self.control.act("hubspot", do=do, **{"as": by}, **order)["ids"]
        return ids

    def told(self) -> list[dict[str, Any]]:
        """Return what the last act wrote into the journal, without computed values."""
        entries = self.control.journal(crm="hubspot", since=self._since)
        return [each for each in entries if each["actor"]["id"] != "CALCULATED"]

    def ids(self, object_: str, count: int = 3) -> list[str]:
        return [each["id"] for each in self.control.truth("hubspot", object_)][:count]

    def get(self, path: str, **query: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.people['tokens']['observer']}"}
        url = self.control.url + path
        return self._session.get(url, params=query, headers=headers, timeout=30)

    def newest(self, object_: str, id_: str, name: str) -> dict[str, Any]:
        target = f"/crm/v3/objects/{object_}/{id_}"
        found = self.get(target, propertiesWithHistory=name).json()
        entry: dict[str, Any] = found["propertiesWithHistory"][name][0]
        return entry


@pytest.fixture
def portal() -> Iterator[Portal]:
    with running_sandbox() as (_, control), requests.Session() as session:
        control.freeze(NOON)
        yield Portal(control, session)


def imported(portal: Portal) -> str:
    return str(portal.get("/crm/v3/imports").json()["results"][0]["id"])


@pytest.mark.parametrize(
    ("by", "source", "kind"),
    [
        ({"kind": "user", "name": "Priya Raman"}, ("CRM_UI", "userId:9586534", 9586534), "user"),
        ({"kind": "app", "name": "Ledgerline Sync"}, ("INTEGRATION", "2880144", None), "app"),
        ({"kind": "import", "name": "fix.csv"}, ("IMPORT", imported, None), "import"),
        ({"kind": "system", "id": "BATCH_UPDATE"}, ("BATCH_UPDATE", None, None), "system"),
    ],
)
def test_who_when_and_by_what(
    portal: Portal, by: dict[str, str], source: tuple[str, Any, int | None], kind: str
) -> None:
    id_ = portal.ids("contacts")[0]

    portal.act("update", by, object="contacts", records=[{"id": id_, "fields": {"city": "Ulm"}}])

    type_, source_id, user = source
    entry = portal.newest("contacts", id_, "city")
    assert (entry["value"], entry["timestamp"], entry["sourceType"]) == ("Ulm", STAMP, type_)
    assert entry.get("sourceId") == (source_id(portal) if callable(source_id) else source_id)
    assert entry.get("updatedByUserId") == user
    (told,) = portal.told()
    assert (told["op"], told["record"], told["after"]) == ("update", id_, {"city": "Ulm"})
    assert told["actor"]["kind"] == kind
    assert datetime.fromisoformat(told["at"]) == datetime.fromisoformat(NOON)


def test_a_workflow_enrols_each_record_by_itself(portal: Portal) -> None:
    ids = portal.ids("contacts")
    records = [{"id": id_, "fields": {"city": "Ulm"}} for id_ in ids]

    by = {"kind": "workflow", "name": "Tidy cities"}
    portal.act("update", by, object="contacts", records=records)

    entries = [portal.newest("contacts", id_, "city") for id_ in ids]
    assert {each["sourceType"] for each in entries} == {"AUTOMATION_PLATFORM"}
    assert {each["sourceLabel"] for each in entries} == {"Tidy cities"}
    assert len({each["sourceId"] for each in entries}) == len(ids)
    assert {each["timestamp"] for each in entries} == {STAMP}


def test_an_import_makes_records_and_is_listed(portal: Portal) -> None:
    records = [{"fields": {"email": f"row{n}@fernhill.example"}} for n in range(4)]

    ids = portal.act(
        "create", {"kind": "import", "name": "fair.csv"}, object="contacts", records=records
    )

    listed = portal.get("/crm/v3/imports").json()["results"][0]
    assert listed["importName"] == "fair.csv"
    assert listed["metadata"]["counters"]["CREATED_OBJECTS"] == 4
    made = portal.get(f"/crm/v3/objects/contacts/{ids[0]}", properties="hs_object_source_id")
    assert made.json()["properties"]["hs_object_source_id"] == listed["id"]
    assert [each["op"] for each in portal.told()] == ["create"] * 4


def test_a_bulk_edit_in_the_ui_is_one_moment_of_one_user(portal: Portal) -> None:
    ids = portal.ids("contacts", 20)
    records = [{"id": id_, "fields": {"phone": None}} for id_ in ids]
    by = {"kind": "user", "name": "Jonas Albrecht"}

    portal.act("update", by, object="contacts", records=records, source="CRM_UI_BULK_ACTION")

    entries = [portal.newest("contacts", id_, "phone") for id_ in ids]
    assert {(e["value"], e["timestamp"], e["sourceType"]) for e in entries} == {
        ("", STAMP, "CRM_UI_BULK_ACTION")
    }
    assert len({e["updatedByUserId"] for e in entries}) == 1


def test_a_merge_by_a_user_bears_his_name(portal: Portal) -> None:
    one, two = portal.ids("contacts", 2)
    by = {"kind": "user", "name": "Elena Moretti"}

    (survivor,) = portal.act("merge", by, object="contacts", records=[{"id": one}, {"id": two}])

    entry = portal.newest("contacts", survivor, "hs_merged_object_ids")
    assert (entry["value"], entry["sourceType"]) == (f"{one};{two}", "MERGE_CONTACTS")
    user = next(each for each in portal.people["users"] if each["name"] == "Elena Moretti")
    assert entry["updatedByUserId"] == int(user["id"])
    assert {each["op"] for each in portal.told()} == {"merge", "merge_away"}
    for old in (one, two):
        assert portal.get(f"/crm/v3/objects/contacts/{old}").json()["id"] == survivor


def test_delete_restore_purge_and_forget(portal: Portal) -> None:
    one, two, three = portal.ids("contacts")
    by = {"kind": "user", "name": "Maya Lindqvist"}
    at = "/crm/v3/objects/contacts"

    portal.act("delete", by, object="contacts", records=[{"id": one}])
    assert [each["op"] for each in portal.told()] == ["delete"]
    assert portal.get(f"{at}/{one}").status_code == 404
    archived = portal.get(f"{at}/{one}", archived="true").json()
    assert archived["archivedAt"] == STAMP
    portal.control.turn(3600)
    portal.act("restore", by, object="contacts", records=[{"id": one}])
    back = portal.get(f"{at}/{one}").json()
    assert (back["archived"], back["updatedAt"]) == (False, "2027-03-01T13:00:00.000Z")
    portal.act("purge", by, object="contacts", records=[{"id": two}])
    portal.act("gdpr_delete", by, object="contacts", records=[{"id": three}])
    assert [each["actor"]["name"] for each in portal.told()] == ["Maya Lindqvist"]
    for gone in (two, three):
        assert portal.get(f"{at}/{gone}").status_code == 404
        assert portal.get(f"{at}/{gone}", archived="true").status_code == 404


def test_a_write_over_the_api_is_told_with_its_request(portal: Portal) -> None:
    id_ = portal.ids("contacts")[0]
    headers = {"Authorization": f"Bearer {portal.people['tokens']['restorer']}"}
    url = f"{portal.control.url}/crm/v3/objects/contacts/{id_}"

    requests.patch(url, json={"properties": {"city": "Ulm"}}, headers=headers, timeout=30)

    entry = portal.newest("contacts", id_, "city")
    assert (entry["sourceType"], entry["sourceId"]) == ("INTEGRATION", "3217790")
    told = portal.control.journal(crm="hubspot")[-1]
    (sent,) = [each for each in portal.control.requests(crm="hubspot") if each["method"] == "PATCH"]
    assert told["request"] == sent["seq"]
    assert sent["identity"] == "3217790"


def test_an_order_that_fails_halfway_leaves_nothing(portal: Portal) -> None:
    one, two = portal.ids("contacts", 2)
    good = {"id": one, "fields": {"city": "Ulm"}}
    bad = {"id": two, "fields": {"hs_lead_status": "NO"}}

    with pytest.raises(ValueError, match="allowed options"):
        portal.act("update", {"kind": "user"}, object="contacts", records=[good, bad])

    assert portal.told() == []
    assert portal.control.truth("hubspot", "contacts", one)[0]["properties"].get("city") != "Ulm"
