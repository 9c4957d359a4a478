"""HubSpot's trail objects against answers that the facts allow and the sandbox does not give."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.hubspot import connect
from crmtrail.config import SourceConfig
from crmtrail.errors import CursorLost
from crmtrail.model import ActorKind, Mode, Page, Removal, value_of
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
OLD = "2026-11-01T00:00:00.000Z"
LISTS = ("property_definitions", "users", "owners", "imports")
Answer = Callable[[str, dict[str, str]], Scripted | None]


class Wall:
    def now(self) -> datetime:
        return NOW


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def listed(*rows: Any, after: str | None = None) -> Scripted:
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return Scripted(content={"results": list(rows), **paging})


FORBIDDEN = Scripted(status=403, content={"status": "error", "message": "no", "category": "X"})
MISSING = Scripted(status=404, content={"status": "error", "message": "resource not found"})


class Portal:
    """Answers by path; what no answer is given for is an empty list."""

    def __init__(self, server: ScriptedServer, connector: Connector) -> None:
        self.server = server
        self.connector = connector

    def sync(
        self, object_: str, position: str | None = None, mode: Mode = Mode.INCREMENTAL
    ) -> tuple[Sequence[Page], str]:
        cursor = self.connector.start(object_, position, mode)
        pages: list[Page] = []
        for _ in range(200):
            pages.append(self.connector.page(object_, cursor))
            cursor = pages[-1].cursor
            if pages[-1].done:
                return pages, cursor
        raise AssertionError("the run does not end")

    def asked(self, part: str) -> list[dict[str, list[str]]]:
        found = [urlsplit(one.target) for one in self.server.asked]
        return [parse_qs(one.query) for one in found if part in one.path]


@contextmanager
def portal(answer: Answer) -> Iterator[Portal]:
    def told(asked: Asked) -> Scripted:
        parts = urlsplit(asked.target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if asked.body:
            query["body"] = asked.body.decode()
        return answer(parts.path, query) or listed()

    with ScriptedServer(otherwise=told) as server:
        settings = SourceConfig.model_validate(
            {"kind": "hubspot", "base_url": server.url, "auth": {"token": "t"}}
        )
        with closing(connect("hs", settings, settings.auth, Wall())) as connector:
            yield Portal(server, connector)


def ids(pages: Sequence[Page]) -> list[str]:
    return [one.ref.id for page in pages for one in page.readings]


def login(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "loginAt": iso(at), "userId": 5, "email": "a@x.example", **more}


# --- logs ---------------------------------------------------------------------------------------


def test_a_log_that_comes_newest_first_is_read_down_to_what_is_known() -> None:
    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if not path.endswith("/activity/login"):
            return None
        page = int(query.get("after", "0"))
        return listed(login(page, NOW - timedelta(hours=2 * page)), after=str(page + 1))

    with portal(answer) as hubspot:
        since = int((NOW - timedelta(hours=5)).timestamp() * 1000)
        pages, _ = hubspot.sync("login_activity", json.dumps({"events": "rest", "mark": since}))

    # The hour before is read again, and the page that lies before that ends the walk.
    assert ids(pages) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("hours", [(50, 60, 1, 0), (60, 50, 1, 0), (50, 50, 50, 0)])
def test_a_log_that_was_not_newest_first_is_read_to_its_end(hours: tuple[int, ...]) -> None:
    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if not path.endswith("/activity/login"):
            return None
        page = int(query.get("after", "0"))
        following = str(page + 1) if page + 1 < len(hours) else None
        return listed(login(page, NOW - timedelta(hours=hours[page])), after=following)

    with portal(answer) as hubspot:
        _, cursor = hubspot.sync("login_activity")
        pages, _ = hubspot.sync("login_activity", cursor)

    assert ids(pages) == ["0", "1", "2", "3"]


def test_logs_that_can_be_filtered_are_asked_for_what_is_new() -> None:
    with portal(lambda _, __: None) as hubspot:
        mark = int(NOW.timestamp() * 1000)
        for name in ("security_activity", "audit_logs"):
            hubspot.sync(name, json.dumps({"events": "rest", "mark": mark}))

        [security] = hubspot.asked("/activity/security")
        [audit] = hubspot.asked("/activity/audit-logs")

    hour_ago = NOW - timedelta(hours=1)
    assert security["fromTimestamp"] == [str(int(hour_ago.timestamp() * 1000))]
    assert audit["occurredAfter"] == ["2026-11-24T09:00:00Z"]


def test_a_page_length_that_is_refused_is_left_to_hubspot() -> None:
    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if path.endswith("/activity/login"):
            if "limit" in query:
                return Scripted(status=400, content={"message": "limit", "status": "error"})
            return listed(login(1, NOW))
        return None

    with portal(answer) as hubspot:
        pages, cursor = hubspot.sync("login_activity")
        again, _ = hubspot.sync("login_activity", cursor)

    assert ids(pages) == ids(again) == ["1"]
    assert len(hubspot.asked("/activity/login")) == 3


def test_a_moment_that_is_refused_is_left_out_and_the_log_is_read_to_what_is_known() -> None:
    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if not path.endswith("/audit-logs"):
            return None
        if "occurredAfter" in query:
            return Scripted(status=400, content={"message": "moment", "status": "error"})
        page = int(query.get("after", "0"))
        row = {"id": str(page), "occurredAt": iso(NOW - timedelta(hours=2 * page))}
        return listed(row, after=str(page + 1))

    with portal(answer) as hubspot:
        mark = int((NOW - timedelta(hours=2)).timestamp() * 1000)
        pages, _ = hubspot.sync("audit_logs", json.dumps({"events": "rest", "mark": mark}))

    assert ids(pages) == ["0", "1", "2"]


def test_logins_that_hubspot_dropped_before_they_were_read_are_a_gap() -> None:
    with portal(lambda _, __: None) as hubspot:
        long_ago = NOW - timedelta(days=120)
        mark = int(long_ago.timestamp() * 1000)
        pages, _ = hubspot.sync("login_activity", json.dumps({"events": "rest", "mark": mark}))

    [gap] = pages[-1].gaps
    assert (gap.since, gap.until) == (long_ago, NOW - timedelta(days=90))
    assert not gap.whole


@pytest.mark.parametrize("refusal", [FORBIDDEN, MISSING])
def test_an_edition_without_a_log_is_a_gap_and_no_failure(refusal: Scripted) -> None:
    with portal(lambda path, _: refusal if "audit-logs" in path else None) as hubspot:
        pages, cursor = hubspot.sync("audit_logs")
        [gap] = pages[0].gaps

        assert gap.whole
        assert "HubSpot logs no record views" in gap.why
        assert hubspot.connector.schema("audit_logs").fields["targetObjectId"].updateable is False
        assert hubspot.sync("audit_logs", cursor)[0][0].gaps[0].whole


def test_who_acted_is_the_address_and_not_whom_it_was_done_to() -> None:
    rows = [
        {"id": "1", "type": "ADD_ADMIN_PERMISSIONS", "userId": 5, "objectId": "5",
         "actingUser": "boss@x.example", "createdAt": iso(NOW)},
        {"id": "2", "type": "ADD_ADMIN_PERMISSIONS", "userId": 5, "objectId": "5",
         "createdAt": iso(NOW)},
        {"id": "3", "type": "EXPORT", "userId": 5, "objectId": "9", "createdAt": iso(NOW)},
    ]  # fmt: skip
    boss = {"id": "1", "email": "Boss@X.example", "firstName": "Bo", "userId": 77}

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        if path.endswith("/activity/security"):
            return listed(*rows)
        return listed(boss) if "/owners" in path else None

    with portal(answer) as hubspot:
        pages, _ = hubspot.sync("security_activity")

    first, second, third = (one.actor for one in pages[0].readings)
    assert (first.id, first.name) == ("77", "Bo")
    assert second.kind is ActorKind.UNKNOWN
    assert (third.kind, third.id) == (ActorKind.USER, "5")


def test_an_audited_deed_names_its_record() -> None:
    row = {
        "id": "F", "category": "PROPERTY_VALUE", "subCategory": "LINE_ITEM", "action": "UPDATE",
        "targetObjectId": "977", "occurredAt": iso(NOW),
        "actingUser": {"userId": 8, "userEmail": "m@x.example"},
    }  # fmt: skip
    with portal(lambda path, _: listed(row) if "audit-logs" in path else None) as hubspot:
        pages, _ = hubspot.sync("audit_logs")

    [one] = pages[0].readings
    told = {name: value_of(token) for name, token in one.fields.items()}
    assert (told["target"], told["userId"], told["userEmail"]) == (
        "line_items:977",
        8,
        "m@x.example",
    )
    assert "actingUser" not in told
    assert (one.actor.id, one.actor.name) == ("8", "m@x.example")


# --- lists --------------------------------------------------------------------------------------


def test_a_list_of_pages_is_told_whole_once_one_of_them_differs() -> None:
    names = {"1": "Ann", "2": "Bob", "3": "Cyd"}

    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if path.rstrip("/") != "/settings/v3/users":
            return None
        page = int(query.get("after", "0"))
        shown = sorted(names)[page : page + 1]
        following = str(page + 1) if page + 1 < len(names) else None
        return listed(*({"id": one, "email": names[one]} for one in shown), after=following)

    with portal(answer) as hubspot:
        first, cursor = hubspot.sync("users")
        quiet, cursor = hubspot.sync("users", cursor.replace(str(_ms(NOW)), str(_ms(NOW) - 5000)))
        names["2"] = "Bill"
        changed, cursor = hubspot.sync("users", cursor.replace(str(_ms(NOW)), "1795514300000"))
        del names["3"]
        gone, _ = hubspot.sync("users", cursor.replace(str(_ms(NOW)), "1795514300000"))

    assert sorted(ids(first)) == ["1", "2", "3"]
    assert (ids(quiet), quiet[-1].swept) == ([], None)
    assert sorted(set(ids(changed))) == ["1", "2", "3"]
    assert changed[-1].swept == NOW
    assert sorted(set(ids(gone))) == ["1", "2"]
    assert gone[-1].swept == NOW


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def test_the_order_of_a_list_of_ids_means_nothing() -> None:
    turns = iter((["2", "1"], ["1", "2"]))

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        if path.endswith("/users/teams"):
            return listed({"id": "9", "name": "West", "userIds": next(turns)})
        return None

    with portal(answer) as hubspot:
        first, _ = hubspot.sync("teams")
        second, _ = hubspot.sync("teams", mode=Mode.FULL)

    told = [page[0].readings[0].fields["userIds"] for page in (first, second)]
    assert told == ['["1","2"]', '["1","2"]']


def test_an_object_that_the_portal_does_not_know_is_left_out_of_the_definitions() -> None:
    deals = {"name": "amount", "label": "Amount", "type": "number", "updatedAt": iso(NOW)}

    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if path == "/crm/v3/properties/deals":
            return listed(deals) if "archived" not in query else listed()
        return Scripted(status=400, content={"message": "Unable to infer object type from: x"})

    with portal(answer) as hubspot:
        pages, cursor = hubspot.sync("property_definitions")
        before = len(hubspot.server.asked)
        hubspot.connector.page("property_definitions", _looking(cursor))

    assert set(ids(pages)) == {"deals.amount"}
    assert pages[-1].swept is not None
    assert [gap for page in pages for gap in page.gaps] == []
    assert len(hubspot.server.asked) - before == 1  # only what is there is asked for again


def _looking(cursor: str) -> str:
    kept = json.loads(cursor)
    return json.dumps(kept | {"lists": "look"})


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_of_another_kind_is_lost(name: str) -> None:
    with portal(lambda _, __: None) as hubspot:
        cursor = hubspot.connector.start(name, '{"events":"rest"}', Mode.INCREMENTAL)
        with pytest.raises(CursorLost):
            hubspot.connector.page(name, cursor)
        assert hubspot.sync(name, "{}", Mode.FULL)[0][-1].done


def test_pipelines_are_asked_for_once_by_all_that_need_them() -> None:
    row = {"id": "p 1", "label": "Sales", "updatedAt": iso(NOW), "stages": []}

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        return listed(row) if path == "/crm/v3/pipelines/deals" else MISSING

    with portal(answer) as hubspot:
        for name in ("pipelines", "pipeline_stages", "pipeline_audit"):
            hubspot.sync(name)
        asked = [one.target for one in hubspot.server.asked]

    assert asked.count("/crm/v3/pipelines/deals") == 1
    assert "/crm/v3/pipelines/deals/p%201/audit" in asked


def test_a_pipeline_that_is_listed_no_more_was_deleted_by_whom_its_audit_names() -> None:
    entries = [
        {"identifier": "9", "action": "DELETE", "timestamp": iso(NOW), "fromUserId": 77},
        {"identifier": "9", "action": "CREATE", "timestamp": OLD, "fromUserId": 5},
    ]

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        if path == "/crm/v3/pipelines/deals/9/audit":
            return listed(*entries)
        return MISSING if path.endswith("/audit") else None

    with portal(answer) as hubspot:
        found = hubspot.connector.read("pipelines", ["deals.9", "deals.8"])

    one = found["deals.9"]
    assert isinstance(one, Removal)
    assert (set(found), one.at, one.actor.id) == ({"deals.9"}, NOW, "77")


def test_the_properties_of_a_synced_object_are_not_asked_for_twice() -> None:
    deals = {"name": "amount", "label": "Amount", "type": "number", "updatedAt": OLD}

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        return listed(deals) if path == "/crm/v3/properties/deals" else None

    with portal(answer) as hubspot:
        hubspot.connector.schema("deals")
        pages, _ = hubspot.sync("property_definitions")
        asked = [one.target for one in hubspot.server.asked]

    assert "deals.amount" in ids(pages)
    assert asked.count("/crm/v3/properties/deals") == 1


# --- consent ------------------------------------------------------------------------------------


def _status(address: str, **more: Any) -> dict[str, Any]:
    return {
        "channel": "EMAIL", "subscriberIdString": address, "subscriptionId": 7, "source": "Form",
        "subscriptionName": "News", "status": "SUBSCRIBED", "timestamp": iso(NOW), **more,
    }  # fmt: skip


@pytest.mark.parametrize("nested", [True, False])
def test_statuses_are_read_in_either_shape_of_a_batch(nested: bool) -> None:
    contact = {"id": "31", "properties": {"email": "Ada@X.example"}, "updatedAt": iso(NOW)}

    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if path == "/crm/v3/objects/contacts":
            return listed(contact)
        assert path == "/communication-preferences/v4/statuses/batch/read"
        assert (query["channel"], json.loads(query["body"])) == (
            "EMAIL",
            {"inputs": ["Ada@X.example"]},
        )
        status = _status("ada@x.example")
        group = {"subscriberIdString": "ada@x.example", "statuses": [status]}
        return listed(group if nested else status)

    with portal(answer) as hubspot:
        pages, _ = hubspot.sync("subscription_statuses")

    [one] = pages[0].readings
    assert one.ref.id == "31.7"
    assert (one.created_at, one.modified_at) == (NOW, NOW)
    assert one.actor.via == "Form"
    assert hubspot.connector.schema("subscription_statuses").fields["status"].updateable


def test_an_address_that_hubspot_refuses_costs_no_other_its_status() -> None:
    people = [
        {"id": str(no), "properties": {"email": f"p{no}@x.example"}, "updatedAt": iso(NOW)}
        for no in range(8)
    ]

    def answer(path: str, query: dict[str, str]) -> Scripted | None:
        if path == "/crm/v3/objects/contacts":
            return listed(*people)
        wanted = json.loads(query["body"])["inputs"]
        if "p5@x.example" in wanted:
            return Scripted(status=400, content={"message": "not valid", "status": "error"})
        return listed(*({"subscriberIdString": one, "statuses": [_status(one)]} for one in wanted))

    with portal(answer) as hubspot:
        pages, _ = hubspot.sync("subscription_statuses")

    assert sorted(ids(pages)) == [f"{no}.7" for no in range(8) if no != 5]


def test_more_contacts_than_a_search_shows_are_listed() -> None:
    contact = {"id": "31", "properties": {"email": "a@x.example"}, "updatedAt": iso(NOW)}

    def answer(path: str, _: dict[str, str]) -> Scripted | None:
        if path.endswith("/search"):
            return Scripted(content={"total": 12_000, "results": [contact]})
        if path == "/crm/v3/objects/contacts":
            return listed(contact)
        return listed({"subscriberIdString": "a@x.example", "statuses": [_status("a@x.example")]})

    with portal(answer) as hubspot:
        mark = _ms(NOW - timedelta(hours=1))
        pages, _ = hubspot.sync("subscription_statuses", f'{{"consent":"rest","mark":{mark}}}')

    assert ids(pages) == ["31.7"]
    assert pages[-1].swept == NOW
