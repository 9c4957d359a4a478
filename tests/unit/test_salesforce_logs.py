"""Event objects are walked in windows of time, and no event is lost or told twice."""

import json
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.salesforce import logs, logs_actors
from connectors.salesforce.answers import Delay
from connectors.salesforce.client import Rows
from connectors.salesforce.schema import Describe, DescribedField, know
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Actor, ActorKind, Mode

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MAYA = Actor(ActorKind.USER, id="005000000000001AAA", name="Maya Lindholm")
KNOWN = know(
    "sf",
    Describe(
        [DescribedField(name) for name in ("Id", "EventIdentifier", "EventDate", "UserId")],
        name="LoginEvent",
    ),
)
WINDOW = re.compile(r"EventDate > (\S+) AND EventDate <= (\S+) ORDER BY EventDate DESC$")


class People:
    def meet(self, ids):
        return {id_: MAYA for id_ in ids if id_}


class Org:
    """Answers windows of events, at most so many rows at once."""

    source = "sf"

    def __init__(self, *events, most=2000):
        self.events = list(events)
        self.most = most
        self.asked = []
        self.slow_beyond = timedelta(days=999)
        self.now = NOON
        self.more = {}

    @property
    def asked_at(self):
        return self.now

    told_at = asked_at

    def query(self, text, *, deleted=True):
        assert not deleted
        since, end = (datetime.fromisoformat(one) for one in WINDOW.search(text).groups())
        self.asked.append((since, end))
        if end - since > self.slow_beyond:
            raise Delay("too slow", code="QUERY_TIMEOUT")
        found = [(no, at) for no, at in enumerate(self.events) if since < at <= end]
        found.sort(key=lambda one: one[1], reverse=True)
        self.left = [row(no, at, **self.more) for no, at in found]
        return self._answer()

    def query_more(self, address):
        assert address == "/more"
        return self._answer()

    def _answer(self):
        page, self.left = self.left[: self.most], self.left[self.most :]
        more = "/more" if self.left else None
        return Rows(page, done=not self.left, next_records_url=more)


def row(number, at, **more):
    told = {
        "Id": "000000000000000AAA",
        "EventIdentifier": f"event-{number}",
        "EventDate": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000",
        "UserId": MAYA.id,
        **more,
    }
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in told.items()}


def walk(org, position=None, mode=Mode.INCREMENTAL):
    reader = logs.Events(org, People())
    cursor, pages = logs.start(position, mode), []
    while not pages or not pages[-1].done:
        pages.append(reader.page(KNOWN, logs.place(cursor)))
        cursor = pages[-1].cursor
        assert len(pages) < 1000
    return pages


def told(pages):
    return [reading.ref.id for page in pages for reading in page.readings]


def test_the_first_walk_reaches_back_six_months_without_a_hole():
    org = Org(NOON - timedelta(days=182), NOON - timedelta(days=200), NOON - timedelta(hours=1))
    pages = walk(org)
    assert told(pages) == ["event-0", "event-2"]
    assert org.asked[0][0] == NOON - timedelta(days=183)
    assert org.asked[-1][1] == NOON
    assert all(one[1] == other[0] for one, other in zip(org.asked, org.asked[1:], strict=False))
    assert pages[-1].complete_to == pages[-1].watermark == NOON - timedelta(minutes=15)
    assert len(pages) < 20


def test_an_event_is_a_record_of_its_own_by_its_user():
    at = NOON - timedelta(hours=1) + timedelta(milliseconds=937)
    (reading,) = [one for page in walk(Org(at)) for one in page.readings]
    assert (reading.ref.object, reading.ref.id) == ("LoginEvent", "event-0")
    assert reading.created_at == reading.edited_at == reading.modified_at == at
    assert reading.actor == reading.creator == MAYA
    assert set(reading.fields) == {"EventIdentifier", "EventDate", "UserId"}


@pytest.mark.parametrize("most", [1, 7, 2000])
def test_a_window_that_is_too_full_is_cut(most):
    events = [NOON - timedelta(hours=1, milliseconds=no // 3) for no in range(60)]
    found = told(walk(Org(*events, most=most)))
    assert sorted(found) == sorted(f"event-{no}" for no in range(60))


def test_an_answer_of_2000_rows_is_not_believed_to_be_all():
    org = Org(*[NOON - timedelta(seconds=1 + no) for no in range(2000)])
    assert len(set(told(walk(org)))) == 2000
    assert org.asked[-1][1] - org.asked[-1][0] < timedelta(days=1)


def test_a_window_that_takes_too_long_is_cut():
    org = Org(NOON - timedelta(days=30))
    org.slow_beyond = timedelta(hours=13)
    assert told(walk(org)) == ["event-0"]
    assert len([one for one in org.asked if one[1] - one[0] > org.slow_beyond]) == 1


def test_a_later_run_reads_what_came_in_late():
    org = Org(NOON - timedelta(hours=1))
    position = walk(org)[-1].cursor
    org.events.append(NOON - timedelta(minutes=14))
    org.now = NOON + timedelta(hours=1)
    assert told(walk(org, position)) == ["event-1"]


def test_a_walk_that_broke_off_goes_on_and_full_begins_anew():
    reader = logs.Events(Org(), People())
    page = reader.page(KNOWN, logs.place(logs.start(None, Mode.INCREMENTAL)))
    assert not page.done
    assert logs.start(page.cursor, Mode.INCREMENTAL) == page.cursor
    assert logs.start(page.cursor, Mode.FULL) == logs.start(None, Mode.INCREMENTAL)


def test_what_salesforce_no_longer_keeps_is_a_gap():
    org = Org()
    position = walk(org)[-1].cursor
    org.now = NOON + timedelta(days=200)
    gaps = [gap for page in walk(org, position) for gap in page.gaps]
    ((since, until),) = [(gap.since, gap.until) for gap in gaps]
    assert since == NOON - timedelta(minutes=15)
    assert until == org.now - timedelta(days=183)
    assert not gaps[0].whole


def test_a_foreign_position_is_told():
    assert logs.start('{"phase":"rest"}', Mode.INCREMENTAL) == '{"phase":"rest"}'
    with pytest.raises(CursorLost):
        logs.place('{"phase":"rest"}')


def test_an_event_without_an_identifier_is_not_believed():
    org = Org(NOON)
    org.more = {"EventIdentifier": None}
    with pytest.raises(Unavailable, match="EventIdentifier"):
        walk(org)


def test_who_was_logged_in_as_another_is_the_actor():
    delegated = logs_actors.behind(MAYA, "root@acme.test")
    assert delegated == Actor(ActorKind.USER, name="root@acme.test", via="Maya Lindholm")
    assert logs_actors.behind(MAYA, None) == MAYA
