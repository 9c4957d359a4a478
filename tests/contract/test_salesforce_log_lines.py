"""Who looked at what: lines of event log files, from the sandbox's org into a store."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.salesforce.logs_reading import LINES, RECORD
from crmtrail.model import Mode, Op, Ref
from crmtrail.ports import Connector, Query, ignore
from scheduler.runner import Run, Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.connector_rig import crash_driven, drive
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock

MAYA, TOM, INES = "Maya Lindholm", "Tom Okafor", "Ines Castro"
DAY = 86_400


@dataclass
class Desk:
    org: SalesforceRig
    store: MemoryStore
    leases: MemoryLeases
    connector: Connector
    person: str

    def sync(self, object_: str = LINES) -> Run:
        runner = Runner(
            self.store,
            self.leases,
            WallClock(),
            ignore,
            holder="here:1:1",
            ttl=timedelta(minutes=1),
        )
        return runner.run(self.connector, object_, Mode.INCREMENTAL)

    def log(self, kind: str, *rows: dict[str, Any], do: str = "log_event", **more: Any) -> None:
        self.org.act(do=do, type=kind, rows=list(rows), **more)

    def viewed(self, user: str, kind: str = "URI", **more: Any) -> None:
        """Let a file tell that somebody looked at the person's record."""
        self.log(kind, {"user": user, "record": self.person}, **more)

    def seen(self) -> list[tuple[str | None, str]]:
        """Return who looked at the person's record and how, as the store tells it."""
        return sorted(
            (self.store.timeline(one.ref)[-1].actor.name, json.loads(one.fields["EVENT_TYPE"]))
            for one in self.store.records("sf", LINES)
            if one.fields.get(RECORD) == json.dumps(self.person)
        )


@pytest.fixture
def desk() -> Iterator[Desk]:
    with (
        salesforce_rig() as org,
        closing(org.connect_as("observer", objects=["@events"])) as connector,
    ):
        org.object = LINES
        leases = MemoryLeases(WallClock())
        person = min(one["Id"] for one in org.sandbox.truth("salesforce", "Contact"))
        yield Desk(org, MemoryStore(WallClock(), leases), leases, connector, person)


def hours_ago(hours: int) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def test_the_group_brings_the_lines(desk: Desk) -> None:
    assert LINES in desk.connector.objects("events")
    assert RECORD in desk.connector.schema(LINES).fields


def test_who_has_seen_a_persons_data_is_told(desk: Desk) -> None:
    assert desk.sync().state == "done"
    before = set(desk.seen())
    desk.viewed(MAYA)
    desk.viewed(TOM, "LightningPageView", interval="Daily")
    desk.log("ContentTransfer", {"user": INES, "DOCUMENT_ID": desk.person[:15]})
    desk.viewed(TOM, "RestApi", at=hours_ago(30))
    run = desk.sync()
    assert (run.state, run.kept.created, run.kept.read) == ("done", 4, 4)
    assert set(desk.seen()) - before == {
        (MAYA, "URI"),
        (TOM, "LightningPageView"),
        (INES, "ContentTransfer"),
        (TOM, "RestApi"),
    }


def test_what_is_told_late_is_still_news(desk: Desk) -> None:
    desk.sync()
    desk.viewed(MAYA, at=hours_ago(40))
    desk.sync()
    entries, _ = desk.store.log(Query(source="sf", object=LINES, op=Op.CREATE), limit=50)
    assert [one.change_set.actor.name for one in entries] == [MAYA]


def test_the_daily_file_tells_nothing_twice_and_what_the_hourly_ones_missed(desk: Desk) -> None:
    for user in (MAYA, MAYA, TOM):
        desk.viewed(user, at=hours_ago(1))
    desk.viewed(TOM, at=hours_ago(1))  # late: a further file of the same hour
    first = desk.sync()
    stored = {one.ref for one in desk.store.records("sf", LINES)}
    day = hours_ago(1)
    desk.log("URI", {"user": INES, "record": desk.person}, do="log_day", at=day)
    run = desk.sync()
    assert first.state == run.state == "done"
    new = [one for one in desk.store.records("sf", LINES) if one.ref not in stored]
    assert [desk.store.timeline(one.ref)[-1].actor.name for one in new] == [INES]
    assert run.kept.read >= 5
    assert all(len(desk.store.timeline(ref)) == 1 for ref in stored)


def test_a_process_that_dies_after_each_page_tells_the_same(desk: Desk) -> None:
    many = [{"user": MAYA, "record": desk.person, "URI": f"/{no}"} for no in range(4_500)]
    desk.log("URI", *many)
    desk.viewed(TOM)
    whole = drive(desk.org, desk.connector)
    parts = crash_driven(desk.org, None)
    assert parts.ids() == whole.ids()
    assert len(set(whole.ids())) == len(whole.ids()) > len(many)
    assert len(parts.pages) == len(whole.pages)


def test_a_login_as_somebody_else_names_both(desk: Desk) -> None:
    desk.sync()
    users = {one["name"]: one["id"] for one in desk.org.people["users"]}
    order = {"user": MAYA, "DELEGATED_USER_ID_DERIVED": users[TOM]}
    desk.log("LoginAs", order)
    desk.sync()
    entries, _ = desk.store.log(Query(source="sf", object=LINES, op=Op.CREATE), limit=9)
    assert [(one.change_set.actor.name, one.change_set.actor.via) for one in entries] == [
        (TOM, MAYA)
    ]


def test_a_missing_right_is_a_gap_that_ends(desk: Desk) -> None:
    desk.org.act(do="hide_object", object="EventLogFile", user="CRM Observer")
    run = desk.sync()
    assert run.state == "done"
    assert "View Event Log Files" in run.gaps[0].why
    assert run.gaps[0].whole
    desk.org.act(do="hide_object", object="EventLogFile", user="CRM Observer", hidden=False)
    desk.viewed(MAYA)
    run = desk.sync()
    assert (run.state, run.gaps) == ("done", ())
    assert (MAYA, "URI") in desk.seen()


def test_files_that_an_admin_deleted_leave_what_was_read(desk: Desk) -> None:
    desk.viewed(MAYA)
    desk.sync()
    before = desk.seen()
    files = [one["Id"] for one in desk.org.sandbox.truth("salesforce", "EventLogFile")]
    desk.org.act(do="delete", object="EventLogFile", ids=files)
    desk.org.turn(DAY)
    assert desk.sync().state == "done"
    assert desk.seen() == before


def test_no_line_can_be_read_by_its_id(desk: Desk) -> None:
    assert desk.connector.read(LINES, ["8ebb96c1cc2589e4a220744510f795"]) == {}


def test_a_file_can_be_fetched_as_it_is(desk: Desk) -> None:
    desk.viewed(MAYA)
    (newest,) = desk.org.sandbox.truth("salesforce", "EventLogFile")[-1:]
    fetch = desk.connector.fetch_body  # type: ignore[attr-defined]
    body = b"".join(fetch(Ref("sf", "EventLogFile", newest["Id"])))
    assert body.startswith(b'"EVENT_TYPE"')
    assert len(body) == newest["LogFileLength"]
