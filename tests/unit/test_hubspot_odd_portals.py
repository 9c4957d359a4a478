"""Portals that hold to the facts and nothing beyond: other clocks, bare answers, missing parts."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot import connect
from connectors.hubspot.cursor import Cursor
from connectors.hubspot.refusals import retry_after
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CredentialsRefused, Unavailable
from crmtrail.model import ActorKind, FieldType, Identity, Loss, Mode, Page
from crmtrail.ports import Connector
from support.odd_portal import OddPortal, iso, milliseconds
from support.scripted_http import Scripted, ScriptedServer

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
MONTHS_AGO = datetime(2026, 1, 15, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRIVATE_APP = "pat-x"
ABSENT, FORBIDDEN = Scripted(404, {}), Scripted(403, {"category": "MISSING_SCOPES"})
FAILING = Scripted(500, b"<html>")


class OurClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@contextmanager
def connected(
    odd: OddPortal, ours: datetime = TEN, token: str = PRIVATE_APP
) -> Iterator[Connector]:
    with ScriptedServer(otherwise=odd) as server:
        auth = AuthConfig.model_validate({"token": token})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        with closing(connect("hs", settings, auth, OurClock(ours))) as connector:
            yield connector


def run(hs: Connector, kept: str | None, mode: Mode = Mode.INCREMENTAL) -> list[Page]:
    pages: list[Page] = []
    cursor = hs.start("deals", kept, mode)
    while not pages or not pages[-1].done:
        pages.append(hs.page("deals", cursor))
        cursor = pages[-1].cursor
        assert len(pages) < 60, "the run does not end"
    return pages


def names(pages: list[Page]) -> list[object]:
    return [reading.fields["dealname"] for page in pages for reading in page.readings]


def horizon_of(pages: list[Page]) -> datetime | None:
    """Return from when the store takes an unknown record for a new one."""
    last = pages[-1]
    return min(last.complete_to, last.watermark) if last.complete_to and last.watermark else None


CLOCKS = [
    pytest.param(MONTHS_AGO, TEN, TEN, id="stamps months behind Date"),
    pytest.param(TEN + timedelta(hours=5), TEN, TEN, id="stamps ahead of Date"),
    pytest.param(TEN, None, TEN + timedelta(hours=7), id="no Date, our clock ahead"),
    pytest.param(TEN, None, TEN - timedelta(hours=7), id="no Date, our clock behind"),
    pytest.param(TEN, TEN, TEN + timedelta(days=3), id="only our clock is off"),
]


@pytest.mark.parametrize(("stamps", "date", "ours"), CLOCKS)
@pytest.mark.parametrize("age", [timedelta(), 30 * MINUTE, timedelta(days=20)])
def test_changes_are_seen_whatever_the_clocks_say(
    stamps: datetime, date: datetime | None, ours: datetime, age: timedelta
) -> None:
    odd = OddPortal(stamps - age, date)
    odd.save("1", "a")
    odd.now = stamps
    with connected(odd, ours) as hs:
        pages = run(hs, None)
        marks = [pages[-1].watermark]
        for turn in range(4):
            odd.now += MINUTE
            odd.date = None if odd.date is None else odd.date + MINUTE
            odd.save("1", f"b{turn}")
            odd.save(f"10{turn}", f"new{turn}")
            odd.save("7", "short-lived")
            odd.archive("7")
            horizon = horizon_of(pages)
            pages = run(hs, pages[-1].cursor)
            marks.append(pages[-1].watermark)
            found = {f'"b{turn}"', f'"new{turn}"'}
            assert found <= set(names(pages))
            assert "7" in {one.ref.id for page in pages for one in page.removals}
            made = [r for page in pages for r in page.readings if r.ref.id == f"10{turn}"]
            assert horizon is not None
            assert all(r.created_at and r.created_at > horizon for r in made)
            del odd.deals["7"]
    assert None not in marks
    assert marks == sorted(mark for mark in marks if mark)
    assert not [gap for page in pages for gap in page.gaps]


def test_quiet_polls_become_two_calls_without_a_read_though_the_clocks_never_met() -> None:
    odd = OddPortal(TEN - timedelta(hours=3), TEN)
    for number in range(60):
        odd.save(str(number), "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        for _ in range(4):
            assert odd.date is not None
            odd.date += 5 * MINUTE
            odd.asked.clear()
            kept = run(hs, kept)[-1].cursor
            assert len(odd.asked) == 2


def test_many_records_stamped_ahead_of_the_date_are_all_read() -> None:
    odd = OddPortal(TEN - MINUTE, TEN)
    odd.save("1", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = TEN + timedelta(hours=5)
        for number in range(450):
            odd.now += timedelta(milliseconds=1)
            odd.save(str(1000 + number), "b")
        assert names(run(hs, kept)).count('"b"') == 450


def test_a_second_change_within_a_whole_second_is_read() -> None:
    odd = OddPortal(TEN, TEN)
    odd.save("1", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.save("1", "b")
        pages = run(hs, kept)
        assert names(pages) == ['"b"']


def test_overflowing_history_is_judged_by_what_was_polled_not_by_what_is_read_back() -> None:
    odd = OddPortal(TEN - timedelta(days=20), TEN)
    odd.save("1", "old")
    for number in range(25):
        odd.now = TEN - timedelta(days=20) + timedelta(hours=number)
        odd.save("1", f"value {number}")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = odd.date = TEN + MINUTE
        odd.save("1", "new")
        odd.deals["1"].history = odd.deals["1"].history[:20]
        pages = run(hs, kept)
    assert names(pages) == ['"new"']
    assert not [gap for page in pages for gap in page.gaps]


SPELLINGS = [
    iso,
    milliseconds,
    lambda at: str(milliseconds(at)),
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"),
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_stamps_are_read_however_they_are_written(spell: Callable[[datetime], Any]) -> None:
    odd = OddPortal(TEN - MINUTE, TEN, spell)
    odd.save("1", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = TEN
        odd.save("1", "b")
        (reading,) = [one for page in run(hs, kept) for one in page.readings]
    assert (reading.modified_at, reading.created_at) == (TEN, TEN - MINUTE)
    assert [event.at for event in reading.trail] == [TEN - MINUTE, TEN]
    assert reading.actor.id == "9"


def test_bare_records_and_histories_are_enough() -> None:
    odd = OddPortal(TEN - MINUTE, TEN, bare=True)
    odd.save("1", "a")
    odd.save("2", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = TEN
        odd.save("1", "b")
        odd.archive("2")
        pages = run(hs, kept)
    (reading,) = [one for page in pages for one in page.readings]
    assert (reading.modified_at, reading.actor.kind) == (TEN, ActorKind.UNKNOWN)
    assert reading.actor.why
    (removal,) = [one for page in pages for one in page.removals]
    assert (removal.ref.id, removal.loss, removal.at) == ("2", Loss.DELETED, None)


def test_what_came_and_went_between_two_polls_keeps_its_content() -> None:
    odd = OddPortal(TEN - MINUTE, TEN)
    odd.save("1", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = TEN + MINUTE
        odd.save("2", "short-lived")
        odd.archive("2")
        pages = run(hs, kept)
        (reading,) = [one for page in pages for one in page.readings]
        assert (reading.ref.id, reading.deleted) == ("2", True)
        assert reading.fields["dealname"] == '"short-lived"'
        odd.date = TEN + 5 * MINUTE
        assert not names(run(hs, pages[-1].cursor))


@pytest.mark.parametrize("answer", [Scripted(400, {}), ABSENT, FORBIDDEN, Scripted(405, {})])
def test_an_object_that_cannot_be_searched_is_listed_at_every_poll(answer: Scripted) -> None:
    odd = OddPortal(TEN - MINUTE, TEN, answers={"/search": answer})
    odd.save("1", "a")
    odd.save("2", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
        odd.now = odd.date = TEN + 5 * MINUTE
        odd.save("1", "b")
        odd.asked.clear()
        pages = run(hs, kept)
    (found,) = [one for page in pages for one in page.readings]
    assert (found.ref.id, found.fields["dealname"], found.actor.id) == ("1", '"b"', "9")
    assert [one.id for page in pages for one in page.sightings] == ["2"]
    assert pages[-1].swept is not None
    assert len(odd.asked) == 4, "the search is refused, the list, the changed record, the bin"


def identified(odd: OddPortal, token: str = PRIVATE_APP) -> Identity:
    with connected(odd, token=token) as hs:
        told = hs.identity()
        assert hs.usage().resets_at is None
    return told


@pytest.mark.parametrize("info", [ABSENT, Scripted(405, {}), FAILING, Scripted(401, {})])
@pytest.mark.parametrize("account", [ABSENT, FORBIDDEN, FAILING, Scripted(200, {"odd": 1})])
def test_no_missing_identity_endpoint_stops_anything(account: Scripted, info: Scripted) -> None:
    odd = OddPortal(TEN, TEN, answers={"account-info": account, "access-token-info": info})
    assert identified(odd) == Identity("", "token", "HubSpot", TEN)
    assert identified(odd, "another-kind") == Identity("", "token", "HubSpot", TEN)
    odd.answers["access-token-info"] = Scripted(content={"hubId": 42, "appId": 77})
    assert identified(odd) == Identity("42", "77", "HubSpot 42", TEN)


def test_a_time_zone_nobody_knows_does_no_harm() -> None:
    account = Scripted(content={"portalId": 42, "timeZone": "Mars/Olympus"})
    odd = OddPortal(TEN, TEN, answers={"account-info": account})
    assert identified(odd).account == "42"


def test_a_refused_token_or_a_dead_portal_is_no_empty_identity() -> None:
    odd = OddPortal(TEN, TEN, answers={"/": Scripted(401, {})})
    with pytest.raises(CredentialsRefused):
        identified(odd)
    with ScriptedServer(otherwise=lambda _: Scripted(reset=True)) as server:
        auth = AuthConfig.model_validate({"token": PRIVATE_APP})
        settings = SourceConfig(kind="hubspot", base_url=server.url, auth=auth)
        hs = connect("hs", settings, auth, OurClock(TEN))
        with closing(hs), pytest.raises(Unavailable):
            hs.identity()


@pytest.mark.parametrize("owners", [ABSENT, FORBIDDEN, Scripted(405, {})])
@pytest.mark.parametrize("users", [ABSENT, FORBIDDEN])
def test_without_names_people_keep_their_ids(owners: Scripted, users: Scripted) -> None:
    odd = OddPortal(TEN - MINUTE, TEN, answers={"/owners": owners, "/users": users})
    odd.save("1", "a")
    with connected(odd) as hs:
        (reading,) = read_after_a_change(odd, hs, "b")
        assert (reading.actor.kind, reading.actor.id) == (ActorKind.USER, "9")
        odd.asked.clear()
        (again,) = read_after_a_change(odd, hs, "c")
    assert again.actor.name is None
    assert not [target for target in odd.asked if "owners" in target or "users" in target]


def read_after_a_change(odd: OddPortal, hs: Connector, name: str) -> list[Any]:
    kept = run(hs, None)[-1].cursor
    odd.now += MINUTE
    odd.save("1", name)
    return [one for page in run(hs, kept) for one in page.readings]


def test_names_are_worth_three_tries_and_no_more() -> None:
    odd = OddPortal(TEN - MINUTE, TEN)
    odd.save("1", "a")
    with connected(odd) as hs:
        kept = run(hs, None)[-1].cursor
    odd.answers["/owners"] = FAILING
    odd.now = TEN
    odd.save("1", "b")
    with connected(odd) as hs:
        cursor = hs.page("deals", hs.start("deals", kept, Mode.INCREMENTAL)).cursor
        for _ in range(2):
            with pytest.raises(Unavailable):
                hs.page("deals", cursor)
        odd.answers["/owners"] = Scripted(content={"results": [{"userId": 9, "firstName": "Ada"}]})
        (reading,) = hs.page("deals", cursor).readings
        assert reading.actor.name == "Ada"
    odd.answers["/owners"] = FAILING
    with connected(odd) as hs:
        failures = 0
        while failures < 10:
            try:
                (reading,) = hs.page("deals", cursor).readings
            except Unavailable:
                failures += 1
            else:
                break
    assert (reading.actor.id, reading.actor.name) == ("9", None)


def test_metadata_may_lack_every_key_but_the_name() -> None:
    told = {
        "results": [
            {"name": "bare"},
            {"name": "gone", "archived": True},
            {"name": "odd", "label": None, "type": None, "options": None, "calculated": None,
             "modificationMetadata": {}, "externalOptions": None, "hasUniqueValue": None},
            {"name": "stage", "type": "enumeration", "options": [{"value": 1}, {"label": "x"}]},
            {"name": "locked", "modificationMetadata": {"readOnlyValue": True}},
        ]
    }  # fmt: skip
    odd = OddPortal(TEN, TEN, answers={"/properties/": Scripted(content=told)})
    with connected(odd) as hs:
        fields = hs.schema("deals").fields
    assert {name: field.updateable for name, field in fields.items()} == {
        "bare": True,
        "odd": True,
        "stage": True,
        "locked": False,
    }
    assert fields["stage"].options == ("1",)
    assert fields["odd"].type is FieldType.OTHER


@pytest.mark.parametrize("answer", [ABSENT, FORBIDDEN, Scripted(405, {}), Scripted(400, {})])
def test_custom_objects_may_be_out_of_reach(answer: Scripted) -> None:
    odd = OddPortal(TEN, TEN, answers={"schemas": answer})
    with connected(odd) as hs:
        assert hs.objects() == ["deals"]


def test_a_page_may_say_that_nothing_follows() -> None:
    last = Scripted(content={"results": [], "paging": {"next": {}}})
    odd = OddPortal(TEN, TEN, answers={"/objects/deals?": last})
    with connected(odd) as hs:
        assert run(hs, None)[-1].done


def test_a_pause_may_be_asked_for_until_a_date() -> None:
    date = "Tue, 24 Nov 2026 10:00:00 GMT"
    until = "Tue, 24 Nov 2026 10:00:30 GMT"
    assert retry_after({"retry-after": until, "Date": date}) == 30.0
    assert retry_after({"Retry-After": date, "Date": until}) == 0.0
    assert retry_after({"Retry-After": until}) is None
    assert retry_after({"Retry-After": "soon", "Date": date}) is None


def test_a_request_that_timed_out_at_a_gateway_may_be_repeated() -> None:
    odd = OddPortal(TEN, TEN, answers={"/objects/": Scripted(408, b"")})
    cursor = Cursor(phase="scan").text()
    with connected(odd) as hs, pytest.raises(Unavailable):
        hs.page("deals", cursor)
