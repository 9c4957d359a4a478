"""Contacts that are nowhere: what HubSpot's log of security says of them, and what it does not."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot import connect
from connectors.hubspot.cursor import Cursor
from connectors.hubspot.hearsay import hearsay_of
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.model import ActorKind, Loss, Mode, Page, Removal
from crmtrail.ports import Connector
from crmtrail.sessions import Sessions
from support.scripted_http import Asked, Scripted, ScriptedServer

NOW = 1_795_514_400_000
HOUR = timedelta(hours=1)
DELETED_AT = "2026-11-23T12:00:00.000Z"
LOG = "/activity/security"


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def line(id_: str, **more: Any) -> dict[str, Any]:
    known = {"type": "GDPR_DELETE", "objectId": id_, "userId": 9, "createdAt": DELETED_AT}
    return known | more


def logged(*lines: dict[str, Any], after: str = "") -> Scripted:
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return Scripted(content={"results": list(lines)} | paging)


Log = Callable[[Asked], Scripted]


class Portal:
    """Knows no record but ``live``; ``log`` answers for the log, ``date`` is what answers say."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.live: set[str] = set()
        self.asked: list[str] = []
        self.date = "Tue, 24 Nov 2026 10:00:00 GMT"

    def __call__(self, asked: Asked) -> Scripted:
        self.asked.append(asked.target)
        answer = self._answer(asked)
        return Scripted(answer.status, answer.content, date=self.date)

    def _answer(self, asked: Asked) -> Scripted:
        if LOG in asked.target:
            return self.log(asked)
        if "/properties/" in asked.target:
            return Scripted(content={"results": [{"name": "email"}]})
        if "/owners" in asked.target:
            return Scripted(content={"results": [{"userId": 9, "firstName": "Ada"}]})
        if "/batch/read" in asked.target and "archived" not in asked.target:
            ids = [one["id"] for one in json.loads(asked.body)["inputs"] if one["id"] in self.live]
            return logged(*[{"id": id_, "updatedAt": DELETED_AT} for id_ in ids])
        if asked.target.split("?")[0].endswith(("/41", "/42", "/43")):
            return Scripted(404, {})
        return Scripted(content={"results": []})

    def looks(self) -> int:
        return len([one for one in self.asked if LOG in one])


@contextmanager
def portal(log: Log) -> Iterator[tuple[Portal, Connector]]:
    served = Portal(log)
    with ScriptedServer(otherwise=served) as server:
        auth = AuthConfig.model_validate({"token": "t"})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        with closing(connect("hs", settings, auth, Wall())) as connector:
            yield served, connector


def test_a_contact_deleted_for_privacy_is_told_with_time_and_user() -> None:
    lines = [line("7", type="EXPORT"), line("42"), {"type": "LOGIN"}]
    with portal(lambda _: logged(*lines)) as (served, connector):
        found = connector.read("contacts", ["41", "42"])
    assert set(found) == {"42"}
    removal = found["42"]
    assert isinstance(removal, Removal)
    assert removal.loss is Loss.FORGOTTEN
    assert removal.at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (removal.actor.kind, removal.actor.id, removal.actor.name) == (
        ActorKind.USER,
        "9",
        "Ada",
    )
    assert served.looks() == 1


@pytest.mark.parametrize(
    ("told", "id_", "name"),
    [
        ({"objectId": 42}, "9", "Ada"),
        ({"userId": None, "actingUser": "boss@x.example"}, None, "boss@x.example"),
        ({"userId": "77", "actingUser": "boss@x.example"}, "77", "boss@x.example"),
        ({"userId": None, "createdAt": None}, None, None),
    ],
)
def test_the_log_may_tell_more_or_less(
    told: dict[str, Any], id_: str | None, name: str | None
) -> None:
    with portal(lambda _: logged(line("42", **told))) as (_, connector):
        removal = connector.read("contacts", ["42"])["42"]
    assert (removal.actor.id, removal.actor.name) == (id_, name)
    assert bool(removal.actor.why) == (name is None)


def test_every_page_of_the_log_is_read() -> None:
    def log(asked: Asked) -> Scripted:
        return logged(line("42")) if "after=x" in asked.target else logged(after="x")

    with portal(log) as (_, connector):
        assert set(connector.read("contacts", ["42"])) == {"42"}


def test_only_contacts_are_deleted_for_privacy() -> None:
    with portal(lambda _: logged(line("42"))) as (served, connector):
        assert connector.read("deals", ["42"]) == {}
    assert served.looks() == 0


@pytest.mark.parametrize("answer", [Scripted(403, {}), Scripted(404, {}), Scripted(405, {})])
def test_a_log_that_is_closed_to_us_is_asked_again_after_an_hour(answer: Scripted) -> None:
    with portal(lambda _: answer) as (served, connector):
        for _ in range(3):
            assert connector.read("contacts", ["42"]) == {}
        before = served.looks()
        served.date = "Tue, 24 Nov 2026 11:00:01 GMT"
        connector.read("contacts", ["41"])
        served.log = lambda _: logged(line("42"))
        connector.read("contacts", ["41"])
        assert served.looks() == 2 * before
        served.date = "Tue, 24 Nov 2026 12:00:02 GMT"
        assert set(connector.read("contacts", ["42"])) == {"42"}


def test_the_log_is_read_on_from_where_it_was_left() -> None:
    with portal(lambda _: logged()) as (served, connector):
        connector.read("contacts", ["41"])
        connector.read("contacts", ["42"])
        assert served.looks() == 1
        served.date = "Tue, 24 Nov 2026 10:30:00 GMT"
        served.log = lambda _: logged(line("42"))
        assert set(connector.read("contacts", ["42", "43"])) == {"42"}
    first, second = [one for one in served.asked if LOG in one]
    assert f"fromTimestamp={NOW - 90 * 86_400_000}" in first
    assert f"fromTimestamp={NOW - 600_000}" in second


def test_a_log_that_wants_no_such_time_is_read_whole() -> None:
    def log(asked: Asked) -> Scripted:
        return Scripted(400, {}) if "fromTimestamp" in asked.target else logged(line("42"))

    with portal(log) as (_, connector):
        assert set(connector.read("contacts", ["42"])) == {"42"}


def run(connector: Connector, cursor: str) -> list[Page]:
    pages: list[Page] = []
    while not pages or not pages[-1].done:
        pages.append(connector.page("contacts", cursor))
        cursor = pages[-1].cursor
        assert len(pages) < 20, "the run does not end"
    return pages


@pytest.mark.parametrize("answer", [logged(line("42")), Scripted(403, {})])
def test_a_poll_tells_it_or_says_that_it_is_not_confirmed(answer: Scripted) -> None:
    start = Cursor(phase="read", since=NOW, start=NOW, todo=("42",), then="bin", swept=NOW)
    with portal(lambda _: answer) as (_, connector):
        pages = run(connector, start.text())
    losses = [one.loss for page in pages for one in page.removals]
    gaps = [gap.why for page in pages for gap in page.gaps]
    if answer.status == 200:
        assert (losses, gaps) == ([Loss.FORGOTTEN], [])
    else:
        assert losses == []
        assert gaps == ["contacts 42 was not returned; its deletion is not confirmed"]


def test_what_left_the_bin_for_good_may_have_been_deleted_for_privacy() -> None:
    kept = Cursor(phase="rest", since=NOW, swept=NOW, binned=("41", "42")).text()
    with portal(lambda _: logged(line("42"))) as (served, connector):
        pages = run(connector, connector.start("contacts", kept, Mode.INCREMENTAL))
    told = {one.ref.id: one.loss for page in pages for one in page.removals}
    assert told == {"42": Loss.FORGOTTEN}
    assert not [gap for page in pages for gap in page.gaps]
    assert json.dumps(served.asked).count("/contacts/4") == 0, "none is asked for alone"


def test_a_sweep_tells_of_all_that_the_log_names_and_that_are_nowhere() -> None:
    kept = Cursor(phase="rest", since=NOW, swept=NOW, binned=()).text()
    with portal(lambda _: logged(line("41"), line("42"), line("43"))) as (served, connector):
        served.live = {"43"}
        pages = run(connector, connector.start("contacts", kept, Mode.RECONCILE))
        again = run(connector, connector.start("contacts", pages[-1].cursor, Mode.RECONCILE))
    told = {one.ref.id: one.loss for page in pages for one in page.removals}
    assert told == {"41": Loss.FORGOTTEN, "42": Loss.FORGOTTEN}
    assert not [one for page in again for one in page.removals]


def test_a_sweep_of_another_process_reads_the_log_on_from_the_last_sweep() -> None:
    kept = Cursor(phase="rest", since=NOW, swept=NOW, binned=()).text()
    with portal(lambda _: logged()) as (first, connector):
        pages = run(connector, connector.start("contacts", kept, Mode.RECONCILE))
    with portal(lambda _: logged()) as (second, connector):
        run(connector, connector.start("contacts", pages[-1].cursor, Mode.RECONCILE))
    looks = [one for served in (first, second) for one in served.asked if LOG in one]
    assert [f"fromTimestamp={NOW - back}" in look for look, back in zip(
        looks, (90 * 86_400_000, 600_000), strict=True
    )] == [True, True]  # fmt: skip


def test_what_a_webhook_told_counts_like_the_log_but_only_of_what_is_nowhere() -> None:
    served, sessions = Portal(lambda _: Scripted(403, {})), Sessions()
    served.live.add("43")
    heard = datetime(2026, 11, 23, 12, tzinfo=UTC)
    hearsay_of(sessions, "hs").tell({"42": heard, "43": heard})
    with ScriptedServer(otherwise=served) as server:
        auth = AuthConfig.model_validate({"token": "t"})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        with closing(connect("hs", settings, auth, Wall(), sessions)) as connector:
            found = connector.read("contacts", ["41", "42", "43"])
    assert set(found) == {"42", "43"}, "of 41 nothing was told"
    removal = found["42"]
    assert isinstance(removal, Removal)
    assert (removal.loss, removal.at, removal.actor.kind) == (
        Loss.FORGOTTEN,
        heard,
        ActorKind.UNKNOWN,
    )
    assert not isinstance(found["43"], Removal), "it lives, whatever was heard"
