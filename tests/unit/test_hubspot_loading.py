"""How everything is listed: first loads with all history, sweeps by ids and stamps."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.hubspot import connect
from connectors.hubspot.cursor import Cursor, read_cursor
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Loss, Mode, Page
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

NOW = 1_795_514_400_000  # the scripted server's Date, 2026-11-24 10:00 UTC
OLD, NEW = "2026-10-01T00:00:00.000Z", "2026-11-24T09:59:59.500Z"
DAY = 86_400_000
Answers = dict[str, Callable[[Asked], Scripted]]


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def deal(id_: str, *, history: bool = False, updated: str = OLD, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": id_,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": updated,
        "properties": {"stage": "b"},
    }
    if history:
        entries = [
            {"value": "b", "timestamp": updated, "sourceType": "CRM_UI", "updatedByUserId": 9},
            {"value": "a", "timestamp": "2026-01-01T00:00:00.000Z", "sourceType": "API"},
        ]
        told["propertiesWithHistory"] = {"stage": entries}
    return told | more


def results(*deals: dict[str, Any], after: str = "", **more: Any) -> Scripted:
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return Scripted(content={"results": list(deals)} | paging | more)


def in_batch(asked: Asked) -> Scripted:
    body = json.loads(asked.body)
    history = bool(body["propertiesWithHistory"])
    return results(*[deal(one["id"], history=history) for one in body["inputs"]])


class Portal:
    """Answers by the first part of the target that fits; keeps what it was asked of records."""

    def __init__(self, answers: Answers, properties: int) -> None:
        self.answers: Answers = {"/search": lambda _: results(total=0)} | answers
        self.properties = properties
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Scripted:
        if "/properties/" in asked.target:
            names = ["stage", *[f"a_rather_long_name_{no}" for no in range(self.properties)]]
            return Scripted(content={"results": [{"name": name} for name in names]})
        if "/objects/" in asked.target:  # names of people are asked for beside
            self.asked.append(asked)
        found = (tell for part, tell in self.answers.items() if part in asked.target)
        return next(found, lambda _: results())(asked)

    def targets(self, part: str) -> list[str]:
        return [one.target for one in self.asked if part in one.target]


@contextmanager
def portal(
    answers: Answers, *, properties: int = 0, months: int = 24
) -> Iterator[tuple[Portal, Connector]]:
    served = Portal(answers, properties)
    with ScriptedServer(otherwise=served) as server:
        auth = AuthConfig.model_validate({"token": "t"})
        settings = SourceConfig(
            kind="hubspot", base_url=server.url, auth=auth, history_months=months
        )
        with closing(connect("hs", settings, auth, Wall())) as connector:
            yield served, connector


def run(
    connector: Connector,
    position: str | None,
    mode: Mode = Mode.INCREMENTAL,
    object_: str = "deals",
) -> list[Page]:
    pages: list[Page] = []
    cursor = connector.start(object_, position, mode)
    while not pages or not pages[-1].done:
        pages.append(connector.page(object_, cursor))
        cursor = pages[-1].cursor
        assert len(pages) < 60, "the run does not end"
    return pages


def rest(**more: Any) -> str:
    known: dict[str, Any] = {"since": NOW - DAY, "swept": NOW - DAY, "binned": ()}
    return Cursor(phase="rest", **(known | more)).text()


def trails(pages: list[Page]) -> dict[str, list[str]]:
    readings = [one for page in pages for one in page.readings]
    return {one.ref.id: [event.token for event in one.trail] for one in readings}


def removed(pages: list[Page]) -> dict[str, Loss]:
    return {one.ref.id: one.loss for page in pages for one in page.removals}


WHOLE = ['"a"', '"b"']


def test_a_first_load_lists_fifty_at_a_time_with_all_of_their_history() -> None:
    def listing(asked: Asked) -> Scripted:
        assert "limit=50" in asked.target
        if "after=x" in asked.target:
            return results(deal("2", history=True))
        return results(deal("1", history=True), after="x")

    answers: Answers = {"archived=true": lambda _: results(), "/objects/deals?": listing}
    with portal(answers) as (served, connector):
        pages = run(connector, None)
    assert trails(pages) == {"1": WHOLE, "2": WHOLE}
    assert pages[-1].swept == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert not served.targets("/batch/read")


def test_where_the_names_do_not_fit_a_url_ids_are_listed_and_read_in_batches() -> None:
    ids = [deal(str(no)) for no in range(100)]
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/batch/read": in_batch,
        "/objects/deals?": lambda _: results(*ids),
    }
    with portal(answers, properties=250) as (served, connector):
        pages = run(connector, None)
    assert trails(pages) == {str(no): WHOLE for no in range(100)}
    (listed, _) = served.targets("/objects/deals?")
    assert "limit=100" in listed
    assert "hs_lastmodifieddate" in listed
    assert len(served.targets("/batch/read")) == 4, "two times 50 records, 250 names at a time"


@pytest.mark.parametrize("answer", [Scripted(400, {"message": "no history"}), Scripted(414, {})])
def test_where_a_list_knows_no_history_batches_do(answer: Scripted) -> None:
    def listing(asked: Asked) -> Scripted:
        return answer if "propertiesWithHistory" in asked.target else results(deal("1"))

    answers: Answers = {
        "archived=true": lambda _: results(),
        "/batch/read": in_batch,
        "/objects/deals?": listing,
    }
    with portal(answers) as (_, connector):
        assert trails(run(connector, None)) == {"1": WHOLE}


def test_no_history_is_imported_where_none_is_wanted() -> None:
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/objects/deals?": lambda _: results(deal("1")),
    }
    with portal(answers, months=0) as (served, connector):
        pages = run(connector, None)
    assert trails(pages) == {"1": []}
    assert not [one for one in served.asked if "istory" in one.target]


def test_history_reaches_back_so_many_months() -> None:
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/objects/deals?": lambda _: results(deal("1", history=True)),
    }
    with portal(answers, months=6) as (_, connector):
        (reading,) = [one for page in run(connector, None) for one in page.readings]
    assert reading.trail_since == datetime(2026, 5, 24, 10, tzinfo=UTC)


def test_what_a_first_load_cannot_know_is_told_once_at_its_end() -> None:
    entries = [
        {"value": str(no), "timestamp": f"2026-03-{no:02}T00:00:00Z", "sourceType": "API"}
        for no in range(20, 0, -1)
    ]
    full = {"propertiesWithHistory": {"stage": entries}}
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/objects/deals?": lambda _: results(deal("1", **full), deal("2", **full)),
    }
    with portal(answers) as (_, connector):
        pages = run(connector, None)
    (gap,) = [gap for page in pages for gap in page.gaps]
    assert pages[-1].gaps == (gap,)
    assert "stage (of deals 1, 2)" in gap.why


def test_a_sweep_reads_ids_and_stamps_and_only_what_changed() -> None:
    def listing(asked: Asked) -> Scripted:
        assert "properties=hs_lastmodifieddate" in asked.target
        assert "stage" not in asked.target
        if "after=x" in asked.target:
            return results(deal("3"))
        return results(deal("1"), deal("2", updated=NEW), after="x")

    answers: Answers = {
        "archived=true": lambda _: results(),
        "/batch/read": in_batch,
        "/objects/deals?": listing,
    }
    with portal(answers) as (served, connector):
        pages = run(connector, rest(), Mode.RECONCILE)
    assert [one.id for page in pages for one in page.sightings] == ["1", "3"]
    assert trails(pages) == {"2": WHOLE}
    assert [page.swept for page in pages if page.swept] == [pages[-1].swept]
    assert len(served.asked) == 5, "count, two pages, one batch, the bin"
    assert read_cursor(pages[-1].cursor).phase == "rest"


def test_what_was_just_polled_is_not_read_again_by_a_sweep() -> None:
    stamp = NOW - 500
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/objects/deals?": lambda _: results(deal("1", updated=NEW)),
    }
    with portal(answers) as (served, connector):
        pages = run(connector, rest(recent={"1": stamp}), Mode.RECONCILE)
    assert [one.id for page in pages for one in page.sightings] == ["1"]
    assert not served.targets("/batch/read")


def test_a_later_full_run_reads_content_again() -> None:
    answers: Answers = {
        "archived=true": lambda _: results(),
        "/objects/deals?": lambda _: results(deal("1")),
    }
    with portal(answers) as (served, connector):
        pages = run(connector, rest(), Mode.FULL)
    assert [one.ref.id for page in pages for one in page.readings] == ["1"]
    assert "limit=100" in served.targets("/objects/deals?")[0]
    assert pages[-1].swept is not None


def test_an_object_whose_history_is_refused_is_read_without() -> None:
    def batch(asked: Asked) -> Scripted:
        body = json.loads(asked.body)
        return Scripted(400, {}) if body["propertiesWithHistory"] else in_batch(asked)

    hit = deal("1", updated=NEW, properties={"hs_lastmodifieddate": NEW})
    answers: Answers = {"/search": lambda _: results(hit, total=1), "/batch/read": batch}
    with portal(answers) as (_, connector):
        (reading,) = [one for page in run(connector, rest()) for one in page.readings]
    assert reading.fields["stage"] == '"b"'
    assert (reading.trail, reading.actor.id) == ((), None)


@pytest.mark.parametrize(("merged_at", "told"), [("2026-11-24T09:00:00Z", 1), (OLD, 0)])
def test_a_merge_of_long_ago_is_not_told_with_every_edit_of_its_survivor(
    merged_at: str, told: int
) -> None:
    entry = {"value": "7", "timestamp": merged_at, "sourceType": "MERGE_OBJECTS"}
    survivor = deal("1", updated=NEW)
    survivor["properties"]["hs_merged_object_ids"] = "7"
    survivor["propertiesWithHistory"] = {"hs_merged_object_ids": [entry]}
    hit = deal("1", updated=NEW, properties={"hs_lastmodifieddate": NEW})
    answers: Answers = {
        "/search": lambda _: results(hit, total=1),
        "/batch/read": lambda _: results(survivor),
    }
    with portal(answers) as (_, connector):
        pages = run(connector, rest())
    assert len([one for page in pages for one in page.readings]) == 1
    assert len(removed(pages)) == told


def test_lists_that_lead_in_a_circle_end() -> None:
    circle = results(deal("1", archived=True), after="x")
    with portal({"archived=true": lambda _: circle}) as (_, connector):
        assert removed(run(connector, rest())) == {"1": Loss.DELETED}
    round_again = pytest.raises(Unavailable, match="same place")
    with portal({"/objects/deals?": lambda _: circle}) as (_, connector), round_again:
        run(connector, None)


@pytest.mark.parametrize("mode", [Mode.FULL, Mode.RECONCILE])
def test_a_place_that_is_forgotten_in_the_middle_of_a_list_is_lost(mode: Mode) -> None:
    def listing(asked: Asked) -> Scripted:
        return Scripted(400, {}) if "after=x" in asked.target else results(deal("1"), after="x")

    with portal({"/objects/deals?": listing}) as (_, connector), pytest.raises(CursorLost):
        run(connector, rest(), mode)


@pytest.mark.parametrize("answer", [Scripted(400, {}), Scripted(403, {}), Scripted(404, {})])
def test_an_object_whose_bin_is_refused_still_works(answer: Scripted) -> None:
    answers: Answers = {
        "archived=true": lambda _: answer,
        "/objects/deals?": lambda _: results(deal("1", history=True)),
    }
    with portal(answers) as (served, connector):
        pages = run(connector, None)
        assert trails(pages) == {"1": WHOLE}
        (gap,) = pages[-1].gaps
        assert "does not list archived deals" in gap.why
        served.asked.clear()
        again = run(connector, pages[-1].cursor)
    assert len(served.asked) == 1, "asked again after an hour"
    assert not [gap for page in again for gap in page.gaps]


def test_a_bin_that_breaks_off_is_listed_anew_by_the_next_poll() -> None:
    broken = True

    def bin_(asked: Asked) -> Scripted:
        if "after=x" in asked.target:
            return Scripted(400, {}) if broken else results(deal("8", archived=True))
        return results(deal("7", archived=True), after="x")

    with portal({"archived=true": bin_}) as (_, connector):
        pages = run(connector, rest())
        assert removed(pages) == {"7": Loss.DELETED}
        broken = False
        assert removed(run(connector, pages[-1].cursor)) == {"7": Loss.DELETED, "8": Loss.DELETED}


def test_what_was_edited_shortly_before_it_was_archived_is_told() -> None:
    gone = {"archived": True, "archivedAt": "2026-11-24T09:59:59.800Z", "updated": NEW}

    def batch(asked: Asked) -> Scripted:
        assert "archived=true" in asked.target
        return results(deal("7", history=True, **gone))

    answers: Answers = {"/batch/read": batch, "archived=true": lambda _: results(deal("7", **gone))}
    with portal(answers) as (served, connector):
        pages = run(connector, rest())
    (removal,) = [one for page in pages for one in page.removals]
    assert removal.last is not None
    assert [event.token for event in removal.last.trail] == WHOLE
    assert removal.restorable_until is not None
    assert len(served.asked) == 3


def test_a_bin_that_tells_no_history_tells_content() -> None:
    gone = {"archived": True, "updated": NEW}

    def batch(asked: Asked) -> Scripted:
        if json.loads(asked.body)["propertiesWithHistory"]:
            return Scripted(400, {"message": "no history of archived records"})
        return results(deal("7", **gone))

    answers: Answers = {"/batch/read": batch, "archived=true": lambda _: results(deal("7", **gone))}
    with portal(answers) as (_, connector):
        (removal,) = [one for page in run(connector, rest()) for one in page.removals]
    assert removal.last is not None
    assert removal.last.fields == {"stage": '"b"'}


def test_what_left_the_bin_before_it_was_read_was_archived_all_the_same() -> None:
    gone = deal("7", archived=True, updated=NEW)
    answers: Answers = {
        "/batch/read": lambda _: results(),
        "archived=true": lambda _: results(gone),
    }
    with portal(answers) as (_, connector):
        (removal,) = [one for page in run(connector, rest()) for one in page.removals]
    assert (removal.ref.id, removal.loss, removal.last) == ("7", Loss.DELETED, None)
