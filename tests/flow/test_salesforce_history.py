"""Salesforce's own field history, from the org through the connector into the store."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmtrail.model import Change, ChangeSet, Gap, Mode, Op, Ref
from crmtrail.ports import Connector, ignore
from scheduler.runner import Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock

HOUR = 3600


@dataclass
class Desk:
    """One org, one store, and a connector that stays open, as under `crmtrail serve`."""

    org: SalesforceRig
    store: MemoryStore
    leases: MemoryLeases
    connector: Connector

    def sync(self, object_: str = "Account", mode: Mode = Mode.INCREMENTAL) -> tuple[Gap, ...]:
        runner = Runner(
            self.store,
            self.leases,
            WallClock(),
            ignore,
            holder="here:1:1",
            ttl=timedelta(minutes=1),
        )
        run = runner.run(self.connector, object_, mode)
        assert run.state == "done", run.failure
        return run.gaps

    def act(self, verb: str, object_: str, record: str, who: str, **fields: Any) -> None:
        self.org.act(do=verb, object=object_, ids=[record], fields=fields, **{"as": {"name": who}})

    def edit(self, record: str, who: str, object_: str = "Account", **fields: Any) -> None:
        self.act("update", object_, record, who, **fields)
        self.org.turn(60)

    def story(self, record: str, object_: str = "Account") -> list[ChangeSet]:
        return list(self.store.timeline(Ref("sf", object_, record)))

    def told(self, record: str, object_: str = "Account") -> list[tuple[str, Any, Any, str | None]]:
        """Return every field change: field, old, new, who."""
        return [
            (change.field, _value(change.old), _value(change.new), made.actor.name)
            for made in self.story(record, object_)
            for change in made.changes
            if change.field not in ("Open_Opportunities__c", "Pipeline_Value__c")
        ]

    def history_calls(self) -> int:
        queries = (one["target"] for one in self.org.sandbox.requests(crm="salesforce"))
        return sum("History" in path and "describe" not in path for path in queries)


def _value(token: str | None) -> Any:
    return token if token is None else json.loads(token)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with salesforce_rig() as org, closing(org.connect()) as connector:
        leases = MemoryLeases(WallClock())
        yield Desk(org, MemoryStore(WallClock(), leases), leases, connector)


def anew(desk: Desk) -> tuple[Gap, ...]:
    """Sync with a connector that knows of nothing."""
    with closing(desk.org.connect()) as connector:
        return replace(desk, connector=connector).sync()


def account(desk: Desk) -> str:
    [made] = desk.org.create(1)
    desk.org.turn(HOUR)
    return made


def test_values_that_came_and_went_between_two_polls_keep_their_authors(desk: Desk) -> None:
    record = account(desk)
    desk.sync()
    desk.org.turn(HOUR)
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.edit(record, "Tom Okafor", Phone="222")
    desk.edit(record, "Priya Raman", Phone=None)
    desk.sync()
    assert desk.told(record) == [
        ("Phone", None, "111", "Maya Lindholm"),
        ("Phone", "111", "222", "Tom Okafor"),
        ("Phone", "222", None, "Priya Raman"),
    ]


def test_an_untracked_change_after_a_tracked_one_is_its_own_authors(desk: Desk) -> None:
    record = account(desk)
    desk.sync()
    desk.org.turn(HOUR)
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.edit(record, "Tom Okafor", Site="Hamburg")
    desk.sync()
    assert desk.told(record) == [
        ("Phone", None, "111", "Maya Lindholm"),
        ("Site", None, "Hamburg", "Tom Okafor"),
    ]


def test_nothing_is_told_twice(desk: Desk) -> None:
    record = account(desk)
    desk.sync()
    desk.org.turn(HOUR)
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.edit(record, "Tom Okafor", Phone="222")
    desk.sync()
    once = desk.told(record)
    desk.sync()  # within the overlap of the poll before
    desk.sync(mode=Mode.FULL)
    desk.org.turn(HOUR)
    desk.sync()
    assert desk.told(record) == once
    desk.edit(record, "Priya Raman", Phone="333")
    desk.sync()
    assert desk.told(record) == [*once, ("Phone", "222", "333", "Priya Raman")]


def test_the_first_sync_brings_what_was_before_with_its_authors(desk: Desk) -> None:
    record = account(desk)
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.edit(record, "Tom Okafor", Phone="222", Rating="Hot")
    desk.sync()
    assert [one for one in desk.told(record) if one[0] == "Phone"] == [
        ("Phone", None, "111", "Maya Lindholm"),
        ("Phone", "111", "222", "Tom Okafor"),
    ]
    version = desk.store.version(Ref("sf", "Account", record))
    assert version is not None
    assert _value(version.fields["Phone"]) == "222"
    once = desk.told(record)
    desk.sync()
    desk.sync(mode=Mode.FULL)
    assert desk.told(record) == once


def test_a_lookup_changes_once_and_by_its_ids(desk: Desk) -> None:
    record = account(desk)
    desk.sync()
    desk.org.turn(HOUR)
    ids = {one["name"]: one["id"] for one in desk.org.people["users"]}
    before = _owner(desk, record)
    desk.edit(record, "Tom Okafor", OwnerId=ids["Maya Lindholm"])
    desk.edit(record, "Maya Lindholm", OwnerId=ids["Tom Okafor"])
    desk.sync()
    assert desk.told(record) == [
        ("OwnerId", before, ids["Maya Lindholm"], "Tom Okafor"),
        ("OwnerId", ids["Maya Lindholm"], ids["Tom Okafor"], "Maya Lindholm"),
    ]


def _owner(desk: Desk, record: str) -> str:
    version = desk.store.version(Ref("sf", "Account", record))
    assert version is not None
    return str(_value(version.fields["OwnerId"]))


def test_a_change_without_values_has_its_author_and_is_never_null(desk: Desk) -> None:
    deal = _deal(desk)
    desk.sync("Opportunity")
    desk.org.turn(HOUR)
    was = _value(_fields(desk, deal)["Description"])
    desk.edit(deal, "Maya Lindholm", "Opportunity", Description="lost in between")
    desk.edit(deal, "Tom Okafor", "Opportunity", Description="kept")
    desk.edit(deal, "Priya Raman", "Opportunity", NextStep="call")
    gaps = desk.sync("Opportunity")
    assert desk.told(deal, "Opportunity") == [
        ("Description", was, "kept", "Tom Okafor"),
        ("NextStep", _step(desk, deal), "call", "Priya Raman"),
    ]
    [gap] = gaps
    assert "keeps no values of Description" in gap.why
    assert gap.since == gap.until


def _deal(desk: Desk) -> str:
    found = desk.org.sandbox.truth("salesforce", "Opportunity")
    return next(str(one["Id"]) for one in found if not one["deleted"])


def _fields(desk: Desk, record: str) -> Any:
    version = desk.store.version(Ref("sf", "Opportunity", record), datetime.now(UTC))
    assert version is not None
    return version.fields


def _step(desk: Desk, record: str) -> Any:
    changes: list[Change] = [c for made in desk.story(record, "Opportunity") for c in made.changes]
    return _value(next(c.old for c in changes if c.field == "NextStep"))


def test_a_poll_without_news_asks_for_no_history(desk: Desk) -> None:
    record = account(desk)
    desk.sync()
    desk.org.turn(HOUR)
    before = desk.history_calls()
    desk.sync()
    assert desk.history_calls() == before
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.sync()
    assert desk.history_calls() == before + 1


def test_no_history_where_the_source_wants_none(desk: Desk) -> None:
    record = account(desk)
    desk.edit(record, "Maya Lindholm", Phone="111")
    with closing(desk.org.connect_as("observer", history_months=0)) as connector:
        desk.connector = connector
        desk.sync()
        desk.edit(record, "Maya Lindholm", Phone="222")
        desk.edit(record, "Tom Okafor", Phone="333")
        desk.sync()
    assert desk.history_calls() == 0
    assert [made.op for made in desk.story(record)] == [Op.BASELINE, Op.UPDATE]


def test_a_read_before_a_restore_brings_the_trail(desk: Desk) -> None:
    record = account(desk)
    desk.edit(record, "Maya Lindholm", Phone="111")
    desk.edit(record, "Tom Okafor", Phone="222")
    [reading] = desk.connector.read("Account", [record], trail=True).values()
    [plain] = desk.connector.read("Account", [record]).values()
    assert [(e.field, e.old, e.token) for e in reading.trail] == [
        ("Phone", "null", '"111"'),
        ("Phone", '"111"', '"222"'),
    ]
    assert not reading.trail_whole
    assert plain.trail == ()


def test_history_that_may_not_be_read_is_a_gap_and_no_failure(desk: Desk) -> None:
    record = account(desk)
    desk.org.act(do="hide_field", object="AccountHistory", field="NewValue")
    gaps = desk.sync()
    assert ["AccountHistory" in gap.why for gap in gaps] == [True]
    desk.edit(record, "Tom Okafor", Phone="222")
    assert desk.sync() == gaps
    assert desk.told(record) == [("Phone", None, "222", "Tom Okafor")]


def test_the_gap_lasts_as_long_as_the_right_is_missing(desk: Desk) -> None:
    account(desk)
    order = {"do": "hide_field", "object": "AccountHistory", "field": "NewValue"}
    desk.org.act(**order)
    told = [anew(desk) for _ in range(2)]
    assert [["AccountHistory" in gap.why for gap in gaps] for gaps in told] == [[True], [True]]
    assert told[0][0].whole
    desk.org.act(**order, access="edit")
    calls = desk.history_calls()
    assert [anew(desk), anew(desk)] == [(), ()]
    assert desk.history_calls() - calls == 1


def test_the_first_sync_reaches_back_24_months(desk: Desk) -> None:
    record = str(desk.org.sandbox.truth("salesforce", "Account")[0]["Id"])
    now = datetime.now(UTC)
    phone = _truth(desk, record)["Phone"]
    story = [(720, None, "1"), (600, "1", "2"), (30, "2", phone)]
    desk.org.act(
        do="write_history",
        object="Account",
        id=record,
        rows=[
            {
                "at": (now - timedelta(days=days)).isoformat(),
                "field": "Phone",
                "old": old,
                "new": new,
                "as": "Maya Lindholm",
            }
            for days, old, new in story
        ],
    )
    desk.sync()
    made = [(old, new) for name, old, new, _ in desk.told(record) if name == "Phone"]
    assert made == [(old, new) for _, old, new in story]
    before = desk.store.version(Ref("sf", "Account", record), now - timedelta(days=100))
    assert before is not None
    assert _value(before.fields["Phone"]) == "2"


def _truth(desk: Desk, record: str) -> Any:
    [found] = desk.org.sandbox.truth("salesforce", "Account", record)
    return found


def test_an_opportunity_tells_stages_that_came_and_went(desk: Desk) -> None:
    deal = _deal(desk)
    desk.sync("Opportunity")
    desk.org.turn(HOUR)
    desk.edit(deal, "Maya Lindholm", "Opportunity", StageName="Negotiation/Review")
    desk.edit(deal, "Tom Okafor", "Opportunity", StageName="Closed Won")
    desk.sync("Opportunity")
    made = desk.told(deal, "Opportunity")
    stages = [(new, who) for name, _, new, who in made if name == "StageName"]
    assert stages == [("Negotiation/Review", "Maya Lindholm"), ("Closed Won", "Tom Okafor")]
    forecast = [who for name, _, _, who in made if name == "ForecastCategory"]
    assert set(forecast) <= {"Maya Lindholm", "Tom Okafor"}
    desk.sync("Opportunity")
    assert desk.told(deal, "Opportunity") == made


def test_a_task_tells_its_history(desk: Desk) -> None:
    order = {"do": "create", "object": "Task", "records": [{"fields": {"Subject": "Call"}}]}
    [task] = desk.org.sandbox.act("salesforce", **order)["ids"]
    desk.org.turn(HOUR)
    desk.sync("Task")
    desk.org.turn(HOUR)
    desk.edit(task, "Maya Lindholm", "Task", Status="In Progress")
    desk.edit(task, "Tom Okafor", "Task", Status="Completed")
    desk.sync("Task")
    assert [one for one in desk.told(task, "Task") if one[0] == "Status"] == [
        ("Status", "Not Started", "In Progress", "Maya Lindholm"),
        ("Status", "In Progress", "Completed", "Tom Okafor"),
    ]
