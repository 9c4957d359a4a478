"""Pages of a run against answers that no healthy portal gives."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.hubspot import connect
from connectors.hubspot.cursor import Cursor
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Mode, Page
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

NOW = 1_795_514_400_000  # the scripted server's Date, 2026-11-24 10:00 UTC
OLD = "2026-11-01T00:00:00.000Z"
Routes = dict[str, Callable[[Asked], Scripted]]


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def things(*ids: str, updated: str = OLD, after: str | None = None, **more: Any) -> Scripted:
    results = [{"id": id_, "properties": {"a": "1"}, "updatedAt": updated} for id_ in ids]
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return Scripted(content={"results": results} | paging | more)


@contextmanager
def portal(routes: Routes) -> Iterator[tuple[ScriptedServer, Connector]]:
    def answer(asked: Asked) -> Scripted:
        if "/properties/" in asked.target:
            return Scripted(content={"results": [{"name": "a", "type": "string"}]})
        for part, reply in routes.items():
            if part in asked.target:
                return reply(asked)
        return Scripted(content={"results": []})

    with ScriptedServer(otherwise=answer) as server:
        auth = AuthConfig.model_validate({"token": "t"})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        with closing(connect("hs", settings, auth, Wall())) as connector:
            yield server, connector


def run(connector: Connector, cursor: str, most: int = 50) -> list[Page]:
    pages = []
    for _ in range(most):
        pages.append(connector.page("deals", cursor))
        cursor = pages[-1].cursor
        if pages[-1].done:
            return pages
    raise AssertionError("the run does not end")


def read_ids(pages: list[Page]) -> list[str]:
    return [one.ref.id for page in pages for one in page.readings]


def batch(asked: Asked) -> Scripted:
    return things(*[one["id"] for one in json.loads(asked.body)["inputs"]])


def test_an_object_that_cannot_be_searched_is_loaded_without_a_count() -> None:
    routes: Routes = {
        "/search": lambda _: Scripted(400, {"message": "not searchable"}),
        "archived=true": lambda _: things(),
        "/objects/deals": lambda _: things("1", "2"),
    }
    with portal(routes) as (_, connector):
        pages = run(connector, connector.start("deals", None, Mode.INCREMENTAL))
    assert read_ids(pages) == ["1", "2"]
    assert {page.expected for page in pages} == {None}


def test_short_and_empty_list_pages_are_followed_to_the_end() -> None:
    def listing(asked: Asked) -> Scripted:
        if "after=b" in asked.target:
            return things("2")
        if "after=a" in asked.target:
            return things(after="b")
        return things("1", after="a")

    routes: Routes = {
        "/search": lambda _: things(total=2),
        "archived=true": lambda _: things(),
        "/objects/deals": listing,
    }
    with portal(routes) as (_, connector):
        pages = run(connector, connector.start("deals", None, Mode.INCREMENTAL))
    assert read_ids(pages) == ["1", "2"]


def test_the_watermark_lies_lag_and_guard_before_the_first_answer() -> None:
    with portal({}) as (_, connector):
        pages = run(connector, connector.start("deals", None, Mode.INCREMENTAL))
    assert pages[-1].watermark == datetime(2026, 11, 24, 9, 58, 50, tzinfo=UTC)
    assert pages[-1].complete_to == pages[-1].watermark
    assert {page.watermark for page in pages[:-1]} == {None}


def test_a_forgotten_place_in_a_list_is_a_lost_cursor() -> None:
    routes: Routes = {"/objects/deals": lambda _: Scripted(400, {"message": "bad after"})}
    cursor = Cursor(phase="scan", start=NOW, after="forgotten").text()
    with portal(routes) as (_, connector), pytest.raises(CursorLost):
        connector.page("deals", cursor)


@pytest.mark.parametrize("text", ["", "x", '{"phase":"nonsense"}'])
def test_a_strange_cursor_is_lost(text: str) -> None:
    with portal({}) as (server, connector):
        with pytest.raises(CursorLost):
            connector.page("deals", text)
        assert server.asked == []


def test_an_unsorted_search_falls_back_to_a_scan() -> None:
    def search(asked: Asked) -> Scripted:
        if json.loads(asked.body)["limit"] == 1:
            return things(total=3)
        results = [
            {"id": "1", "properties": {"hs_lastmodifieddate": "2026-11-24T09:30:00Z"}},
            {"id": "2", "properties": {"hs_lastmodifieddate": "2026-11-24T09:10:00Z"}},
        ]
        return Scripted(content={"total": 9, "results": results, "paging": _next("200")})

    routes: Routes = {
        "/search": search,
        "/batch/read": batch,
        "archived=true": lambda _: things(),
        "/objects/deals": lambda _: things("1", "2", "3"),
    }
    cursor = Cursor(phase="search", since=NOW - 3_600_000, low=NOW - 3_600_000).text()
    with portal(routes) as (_, connector):
        pages = run(connector, cursor)
    sighted = {one.id for page in pages for one in page.sightings}
    assert set(read_ids(pages)) | sighted == {"1", "2", "3"}
    assert pages[-1].swept == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_a_record_without_a_stamp_is_an_incomplete_answer() -> None:
    routes: Routes = {
        "/search": lambda _: things(total=1),
        "/objects/deals": lambda _: Scripted(content={"results": [{"id": "1"}]}),
    }
    with portal(routes) as (_, connector):
        cursor = connector.page("deals", connector.start("deals", None, Mode.FULL)).cursor
        with pytest.raises(Unavailable, match="incomplete"):
            connector.page("deals", cursor)


def test_a_record_restored_without_a_new_stamp_is_read_again() -> None:
    routes: Routes = {
        "/search": lambda _: things(total=0),
        "/batch/read": batch,
        "archived=true": lambda _: things("8"),
    }
    rest = Cursor(phase="rest", since=NOW - 600_000, swept=NOW - 600_000, binned=("7", "8"))
    with portal(routes) as (_, connector):
        pages = run(connector, connector.start("deals", rest.text(), Mode.INCREMENTAL))
    assert read_ids(pages) == ["7"]
    assert pages[-1].watermark is not None


def test_a_record_purged_from_the_bin_is_neither_read_nor_missed() -> None:
    routes: Routes = {
        "/search": lambda _: things(total=0),
        "/batch/read": lambda _: things(),
        "archived=true": lambda _: things(),
    }
    rest = Cursor(phase="rest", since=NOW - 600_000, swept=NOW - 600_000, binned=("7",))
    with portal(routes) as (_, connector):
        pages = run(connector, connector.start("deals", rest.text(), Mode.INCREMENTAL))
    assert read_ids(pages) == []
    assert not [gap for page in pages for gap in page.gaps]


def test_a_finished_run_answers_done_without_a_request() -> None:
    with portal({}) as (server, connector):
        page = connector.page("deals", Cursor(phase="rest", since=NOW).text())
        assert server.asked == []
    assert page.done
    assert page.watermark == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_a_change_between_the_parts_of_a_read_is_read_again() -> None:
    names = [f"p{number}" for number in range(250)]
    stamps = iter(["2026-11-24T09:59:50.000Z", "2026-11-24T09:59:55.000Z"])

    def properties(_: Asked) -> Scripted:
        return Scripted(content={"results": [{"name": name, "type": "string"} for name in names]})

    def parts(asked: Asked) -> Scripted:
        wanted = json.loads(asked.body)["properties"]
        thing = {"id": "1", "updatedAt": next(stamps), "properties": dict.fromkeys(wanted, "1")}
        return Scripted(content={"results": [thing]})

    def search(_: Asked) -> Scripted:
        stamp = {"hs_lastmodifieddate": "2026-11-24T09:59:50.000Z"}
        return Scripted(content={"total": 1, "results": [{"id": "1", "properties": stamp}]})

    def answer(asked: Asked) -> Scripted:
        if "/properties/" in asked.target:
            return properties(asked)
        return search(asked) if "/search" in asked.target else parts(asked)

    auth = AuthConfig.model_validate({"token": "t"})
    with ScriptedServer(otherwise=answer) as server:
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        with closing(connect("hs", settings, auth, Wall())) as connector:
            cursor = Cursor(phase="search", since=NOW - 60_000, low=NOW - 60_000).text()
            page = connector.page("deals", connector.page("deals", cursor).cursor)
    (reading,) = page.readings
    assert len(reading.fields) == 251
    assert reading.modified_at == datetime(2026, 11, 24, 9, 59, 50, tzinfo=UTC)


def _next(after: str) -> dict[str, Any]:
    return {"next": {"after": after}}
