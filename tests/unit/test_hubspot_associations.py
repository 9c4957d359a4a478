"""Associations against answers of all the shapes that HubSpot is known to give."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.hubspot import connect
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CursorLost, Mistake, PermissionMissing, Unavailable
from crmtrail.model import Mode, Page, Reading, Removal
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

PAIR = "contacts-companies"
FORTH = [(1, "Primary"), (279, None)]
BACK = [(2, "Primary"), (280, None)]
Answer = Callable[[Asked], Scripted]


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def types(*told: tuple[int, str | None], category: str = "HUBSPOT_DEFINED") -> list[dict[str, Any]]:
    return [{"category": category, "typeId": id_, "label": label} for id_, label in told]


def linked(from_: str, *to: object, after: str | None = None, seen: Any = FORTH) -> dict[str, Any]:
    targets = [{"toObjectId": id_, "associationTypes": types(*seen)} for id_ in to]
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return {"from": {"id": from_}, "to": targets, **paging}


class Portal:
    """Contacts 1 and 2 and companies 7, 8 and 9; what is not scripted is empty."""

    def __init__(self) -> None:
        self.listed: dict[str, Sequence[str]] = {"contacts": ["1", "2"], "companies": ["7"] * 3}
        self.found: dict[str, Sequence[Mapping[str, Any]]] = {"contacts": [], "companies": []}
        self.changed: dict[str, Sequence[str]] = {}
        self.read: Answer = lambda _: Scripted(content={"results": []})
        self.labels: Answer = self._labels
        self.search: Answer = self._search

    def answer(self, asked: Asked) -> Scripted:
        path = asked.target.split("?")[0]
        if path.endswith("/labels"):
            return self.labels(asked)
        if path.endswith("/search"):
            return self.search(asked)
        if "/associations/" in path:
            return self.read(asked)
        if path.endswith("/batch/read"):
            wanted = [one["id"] for one in json.loads(asked.body)["inputs"]]
            live = self.listed[path.split("/")[-3]]
            return Scripted(content={"results": [{"id": i} for i in wanted if i in live]})
        ids = self.listed[path.rsplit("/", 1)[-1]]
        return Scripted(content={"results": [{"id": id_} for id_ in ids]})

    def _labels(self, asked: Asked) -> Scripted:
        forth = "/contacts/companies/" in asked.target
        return Scripted(content={"results": types(*(FORTH if forth else BACK))})

    def _search(self, asked: Asked) -> Scripted:
        object_ = asked.target.split("/")[-2]
        if json.loads(asked.body)["filterGroups"]:
            ids = self.changed.get(object_, ())
        else:
            ids = self.listed[object_]
        at = "2026-11-24T09:59:00.000Z"
        hits = [{"id": id_, "updatedAt": at, "properties": {}} for id_ in ids]
        return Scripted(content={"total": len(hits), "results": hits})


@contextmanager
def connected(
    portal: Portal, objects: tuple[str, ...] = ("contacts", "company", PAIR)
) -> Iterator[tuple[ScriptedServer, Connector]]:
    with ScriptedServer(otherwise=portal.answer) as server:
        auth = AuthConfig.model_validate({"token": "pat-na1-token"})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth, objects=objects)
        with closing(connect("hs", settings, auth, Wall())) as connector:
            yield server, connector


def run(connector: Connector, position: str | None = None, mode: Mode = Mode.FULL) -> list[Page]:
    connector.schema(PAIR)
    cursor = connector.start(PAIR, position, mode)
    pages: list[Page] = []
    while not pages or not pages[-1].done:
        pages.append(connector.page(PAIR, cursor))
        cursor = pages[-1].cursor
        assert len(pages) < 30, "the run does not end"
    return pages


def readings(pages: Sequence[Page]) -> dict[str, Reading]:
    return {one.ref.id: one for page in pages for one in page.readings}


def asked_ids(asked: Asked) -> list[str]:
    return [one["id"] for one in json.loads(asked.body)["inputs"]]


def reads(server: ScriptedServer) -> list[tuple[str, list[dict[str, str]]]]:
    return [
        (
            one.target.split("associations/")[1].removesuffix("/batch/read"),
            json.loads(one.body)["inputs"],
        )
        for one in server.asked
        if "/associations/" in one.target and one.target.endswith("/batch/read")
    ]


@pytest.mark.parametrize("id_", ["7", 7])
def test_the_other_record_is_named_by_text_or_by_number(id_: object) -> None:
    portal = Portal()
    portal.read = lambda _: Scripted(content={"results": [linked("1", id_)]})

    with connected(portal) as (_, connector):
        found = readings(run(connector))

    assert list(found) == ["1-7"]
    assert found["1-7"].fields == {
        "from": '"1"',
        "to": '"7"',
        "types": '["HUBSPOT_DEFINED:1","HUBSPOT_DEFINED:279"]',
        "labels": '["Primary"]',
    }
    assert found["1-7"].undated
    assert found["1-7"].created_at is None


@pytest.mark.parametrize("served", ["/crm/v4/associations/", "/crm/associations/v4/"])
def test_labels_are_asked_for_where_they_are_served(served: str) -> None:
    portal = Portal()
    plain = portal.labels
    portal.labels = lambda asked: (
        plain(asked) if served in asked.target else Scripted(404, {"message": "no such path"})
    )

    with connected(portal) as (server, connector):
        connector.schema(PAIR)
        first = len(server.asked)
        connector.schema("companies-contacts")

    assert len(server.asked) - first == 1


def test_types_are_asked_for_once_in_an_hour() -> None:
    with connected(Portal()) as (server, connector):
        connector.schema(PAIR)
        connector.schema(PAIR)

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(404, {"category": "OBJECT_NOT_FOUND"}),
        Scripted(400, {"category": "VALIDATION_ERROR"}),
        Scripted(content={"results": []}),
    ],
)
def test_two_objects_that_cannot_be_associated_are_a_mistake(answer: Scripted) -> None:
    portal = Portal()
    portal.labels = lambda _: answer

    with connected(portal) as (_, connector), pytest.raises(Mistake) as told:
        connector.schema(PAIR)

    assert "no association of contacts with companies" in str(told.value)


def test_a_pair_that_the_token_may_not_read_is_a_gap() -> None:
    portal = Portal()
    context = {"requiredGranularScopes": ["crm.schemas.contacts.read"]}
    portal.labels = lambda _: Scripted(403, {"errors": [{"context": context}]})

    with connected(portal) as (_, connector):
        schema = connector.schema(PAIR)
        page = connector.page(PAIR, connector.start(PAIR, None, Mode.INCREMENTAL))

    assert schema.fields == {}
    assert (page.done, page.readings, page.swept) == (True, (), None)
    [gap] = page.gaps
    assert gap.whole
    assert "crm.schemas.contacts.read" in gap.why


@pytest.mark.parametrize("objects", [("contacts", "companies", "@associations"), (PAIR,)])
def test_records_that_may_not_be_read_are_a_gap_of_a_group(objects: tuple[str, ...]) -> None:
    portal = Portal()
    portal.read = lambda _: Scripted(403, {"message": "not permitted"})

    with connected(portal, objects) as (_, connector):
        if PAIR in objects:
            with pytest.raises(PermissionMissing):
                run(connector)
            return
        pages = run(connector)

    [gap] = pages[-1].gaps
    assert gap.whole
    assert "contacts-companies cannot be read by this token" in gap.why
    assert pages[-1].swept is None


def test_only_pairs_of_the_sources_objects_that_have_types_are_kept() -> None:
    portal = Portal()
    plain = portal.labels
    portal.labels = lambda asked: (
        plain(asked) if "/contacts/companies/" in asked.target else Scripted(404, {})
    )

    with connected(portal) as (server, connector):
        pairs = connector.objects("associations")
        first = len(server.asked)
        again = connector.objects("associations")

    assert (pairs, again) == ([PAIR], [PAIR])
    assert len(server.asked) == first


def test_the_smaller_object_is_listed_and_its_types_are_turned() -> None:
    portal = Portal()
    portal.listed["companies"] = ["7"]
    portal.read = lambda _: Scripted(content={"results": [linked("7", 1, 2, seen=BACK)]})

    with connected(portal) as (server, connector):
        found = readings(run(connector))

    assert [path for path, _ in reads(server)] == ["companies/contacts"]
    assert set(found) == {"1-7", "2-7"}
    assert found["1-7"].fields["types"] == '["HUBSPOT_DEFINED:1","HUBSPOT_DEFINED:279"]'


def test_a_label_of_the_portal_is_asked_for_at_the_first_end() -> None:
    portal = Portal()
    portal.listed["companies"] = ["7"]
    own = [{"category": "USER_DEFINED", "typeId": 29, "label": "Hires"}]
    mine = [{"category": "USER_DEFINED", "typeId": 28, "label": "Advises"}]

    def read(asked: Asked) -> Scripted:
        from_, to, told = (
            ("1", 7, mine) if "/contacts/companies/" in asked.target else ("7", 1, own)
        )
        target = {"toObjectId": to, "associationTypes": told}
        return Scripted(content={"results": [{"from": {"id": from_}, "to": [target]}]})

    portal.read = read
    with connected(portal) as (server, connector):
        found = readings(run(connector))

    assert [path for path, _ in reads(server)] == ["companies/contacts", "contacts/companies"]
    assert found["1-7"].fields["labels"] == '["Advises"]'


def test_the_rest_of_a_record_is_read_from_where_it_ended() -> None:
    portal = Portal()

    def read(asked: Asked) -> Scripted:
        inputs = json.loads(asked.body)["inputs"]
        if inputs == [{"id": "1", "after": "x"}]:
            return Scripted(content={"results": [linked("1", 9)]})
        return Scripted(content={"results": [linked("1", 7, 8, after="x"), linked("2", 7)]})

    portal.read = read
    with connected(portal) as (_, connector):
        pages = run(connector)

    assert set(readings(pages)) == {"1-7", "1-8", "1-9", "2-7"}
    assert pages[-1].swept is not None


def test_records_without_associations_are_told_as_errors() -> None:
    portal = Portal()
    error = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "context": {"fromObjectId": ["2"]},
    }
    portal.read = lambda _: Scripted(
        207, {"results": [linked("1", 7)], "numErrors": 1, "errors": [error]}
    )

    with connected(portal) as (_, connector):
        assert set(readings(run(connector))) == {"1-7"}


def test_a_failure_within_a_batch_is_no_absence() -> None:
    portal = Portal()
    error = {"status": "error", "category": "INTERNAL_ERROR", "context": {"fromObjectId": ["2"]}}
    portal.read = lambda _: Scripted(207, {"results": [], "numErrors": 1, "errors": [error]})

    with connected(portal) as (_, connector):
        with pytest.raises(Unavailable):
            run(connector)
        with pytest.raises(Unavailable):
            connector.read(PAIR, ["1-7"])


@pytest.mark.parametrize("status", [400, 403])
def test_where_the_search_is_refused_the_whole_walk_tells_what_changed(status: int) -> None:
    portal = Portal()
    portal.read = lambda _: Scripted(content={"results": [linked("1", 7)]})
    with connected(portal) as (_, connector):
        walked = run(connector)[-1]
        portal.search = lambda _: Scripted(status, {"message": "not searchable"})

        polled = run(connector, walked.cursor, Mode.INCREMENTAL)
        swept = run(connector, polled[-1].cursor, Mode.RECONCILE)

    assert (readings(polled), polled[-1].swept) == ({}, None)
    assert polled[-1].complete_to == walked.complete_to
    assert set(readings(swept)) == {"1-7"}
    assert swept[-1].swept is not None


def test_a_search_that_cannot_be_trusted_ends_in_a_whole_walk() -> None:
    portal = Portal()
    portal.read = lambda _: Scripted(content={"results": [linked("1", 7)]})
    with connected(portal) as (_, connector):
        position = run(connector)[-1].cursor
        stamps = ("2026-11-24T09:59:30.000Z", "2026-11-24T09:59:00.000Z")
        hits = [{"id": "1", "updatedAt": at, "properties": {}} for at in stamps]
        more = {"paging": {"next": {"after": "2"}}}
        portal.search = lambda _: Scripted(content={"total": 3, "results": hits} | more)

        pages = run(connector, position, Mode.INCREMENTAL)

    assert set(readings(pages)) == {"1-7"}
    assert pages[-1].swept is not None


def test_a_poll_tells_of_which_records_all_associations_came() -> None:
    portal = Portal()
    with connected(portal) as (_, connector):
        position = run(connector)[-1].cursor
        portal.changed["contacts"] = ["1", "2"]
        portal.read = lambda _: Scripted(
            content={"results": [linked("1", 7), linked("2", 8, after="x")]}
        )

        pages = []
        cursor = connector.start(PAIR, position, Mode.INCREMENTAL)
        for _ in range(3):
            pages.append(connector.page(PAIR, cursor))
            cursor = pages[-1].cursor

    assert [page.members for page in pages] == [(), (), ["1-"]]
    assert pages[-1].swept is None


def test_an_id_that_answers_for_a_survivor_is_no_association() -> None:
    portal = Portal()
    portal.read = lambda asked: Scripted(
        content={"results": [linked(id_, 7) for id_ in asked_ids(asked)]}
    )

    with connected(portal) as (_, connector):
        found = connector.read(PAIR, ["1-7", "3-7"])

    assert isinstance(found["1-7"], Reading)
    assert isinstance(found["3-7"], Removal)
    assert "contacts 3 is no longer there" in (found["3-7"].actor.why or "")


def test_a_cursor_of_another_kind_is_lost() -> None:
    with connected(Portal()) as (_, connector):
        connector.schema(PAIR)
        with pytest.raises(CursorLost):
            connector.page(PAIR, '{"version":1,"phase":"rest"}')
        assert connector.page(PAIR, connector.start(PAIR, "nonsense", Mode.INCREMENTAL))
