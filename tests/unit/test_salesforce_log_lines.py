"""Lines of event log files against an org in memory: each event once, whichever file tells it."""

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.salesforce import logs_lines, logs_place
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Rows
from connectors.salesforce.logs_lines import LATE, LEFT_OUT, Lines
from connectors.salesforce.logs_reading import LINES, RECORD, schema_of
from connectors.salesforce.transport import Stream
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Actor, ActorKind, Mode

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)
MAYA = "005000000000001AAA"
ROOT = "005000000000002AAA"
CONTACT = "003000000000001AAA"
NAMES = {MAYA: "Maya Lindholm", ROOT: "Root"}
AFTER = re.compile(r"\(CreatedDate > (\S+) OR \(CreatedDate = \S+ AND Id > '(\w+)'\)\)")
SINCE = re.compile(r"CreatedDate >= (\S+)")


class People:
    def meet(self, ids):
        return {
            id_: Actor(ActorKind.USER, id=id_, name=NAMES.get(id_, "somebody"))
            for id_ in ids
            if id_
        }


@dataclass
class File:
    id: str
    body: bytes
    created: datetime
    kind: str = "URI"
    since: datetime = NOON
    interval: str = "Hourly"

    def row(self):
        told = {
            "Id": self.id,
            "EventType": self.kind,
            "Interval": self.interval,
            "Sequence": 1,
            "CreatedDate": self.created.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "LogDate": self.since.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        }
        return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in told.items()}


@dataclass
class Org:
    """Answers what is asked of EventLogFile, and gives files out in pieces."""

    files: list = field(default_factory=list)
    now: datetime = NOON + 12 * HOUR
    source: str = "sf"
    most: int = 200
    asked: list = field(default_factory=list)
    opened: list = field(default_factory=list)
    open: int = 0
    break_after: int | None = None
    gone: set = field(default_factory=set)

    @property
    def asked_at(self):
        return self.now

    told_at = asked_at

    def query(self, text, *, deleted=True):
        assert not deleted
        self.asked.append(text)
        found = sorted(self.files, key=lambda one: (one.created, one.id))
        if "WHERE" not in text:
            return Rows([one.row() for one in found][:1])
        if after := AFTER.search(text):
            key = datetime.fromisoformat(after[1]), after[2]
            found = [one for one in found if (one.created, one.id) > key]
        elif since := SINCE.search(text):
            found = [one for one in found if one.created >= datetime.fromisoformat(since[1])]
        return Rows([one.row() for one in found][: self.most], done=len(found) <= self.most)

    @contextmanager
    def stream(self, path, params=None, *, accept="*/*"):
        assert (params, accept) == (None, "text/csv")
        id_ = re.fullmatch(r"sobjects/EventLogFile/(\w+)/LogFile", path)[1]
        if id_ in self.gone:
            raise Refusal("gone", code="NOT_FOUND", status=404)
        self.opened.append(id_)
        self.open += 1
        (body,) = [one.body for one in self.files if one.id == id_]
        try:
            yield Stream(self._pieces(body), {})
        finally:
            self.open -= 1

    def _pieces(self, body):
        for start in range(0, len(body), 100):
            if self.break_after is not None and start >= self.break_after:
                raise Unavailable("broke off")
            yield body[start : start + 100]


def number(no):
    return f"0AT{no:012}AAA"


def line(request, **more):
    at = NOON + timedelta(minutes=1)
    told = {
        "EVENT_TYPE": "URI",
        "TIMESTAMP_DERIVED": at.strftime("%Y-%m-%dT%H:%M:%S.") + "615Z",
        "REQUEST_ID": request,
        "USER_ID": MAYA[:15],
        "USER_ID_DERIVED": MAYA,
        "URI_ID_DERIVED": CONTACT,
        "CLIENT_IP": "",
    }
    return told | more


def csv(*lines):
    names = list(dict.fromkeys(name for one in lines for name in one))
    head = ",".join(f'"{name}"' for name in names)
    rows = [",".join(f'"{one.get(name, "")}"' for name in names) for one in lines]
    return "\n".join([head, *rows, ""]).encode()


@pytest.fixture
def org():
    return Org()


def walk(org, position=None, mode=Mode.INCREMENTAL, *, fresh=False):
    reader, pages = Lines(org, People(), OVERLAP), []
    cursor = logs_place.start(position, mode)
    while not pages or not pages[-1].done:
        if fresh:  # as if the process had died
            reader.close()
            reader = Lines(org, People(), OVERLAP)
            cursor = logs_place.start(cursor, Mode.INCREMENTAL)
        pages.append(reader.page(logs_place.read(cursor)))
        cursor = pages[-1].cursor
        assert len(pages) < 300
    assert org.open == 0
    return pages


def told(pages):
    return [one for page in pages for one in page.readings]


def requests(pages):
    return [json.loads(one.fields["REQUEST_ID"]) for one in told(pages)]


def gaps(pages):
    return [gap for page in pages for gap in page.gaps]


def test_a_line_becomes_a_record_by_its_user_of_what_was_looked_at(org):
    org.files = [File(number(1), csv(line("r1")), NOON + HOUR)]
    (one,) = told(walk(org))
    assert (one.ref.source, one.ref.object) == ("sf", LINES)
    assert one.created_at == one.modified_at == NOON + timedelta(seconds=60, milliseconds=615)
    assert one.actor == one.creator == Actor(ActorKind.USER, id=MAYA, name="Maya Lindholm")
    assert json.loads(one.fields[RECORD]) == CONTACT
    assert one.stamps == {"EventLogFile": f'"{number(1)}"'}
    assert "CLIENT_IP" not in one.fields


def test_an_event_that_two_files_tell_is_one_record(org):
    daily = [line("r1", NEW_COLUMN=""), line("r2"), line("r3")]
    reordered = csv(*[dict(reversed(one.items())) for one in daily])
    org.files = [
        File(number(1), csv(line("r1"), line("r2")), NOON + HOUR),
        File(number(2), reordered, NOON + 11 * HOUR, interval="Daily"),
    ]
    found = told(walk(org))
    assert len(found) == 5
    by_id = {one.ref.id: one for one in found}
    assert len(by_id) == 3
    assert all(dict(one.fields) == dict(by_id[one.ref.id].fields) for one in found)


def test_lines_that_are_equal_in_every_column_are_all_told(org):
    org.files = [File(number(1), csv(line("r1"), line("r1"), line("r2")), NOON + HOUR)]
    first = [one.ref.id for one in told(walk(org))]
    assert len(set(first)) == 3
    assert [one.ref.id for one in told(walk(org))] == first


def test_a_quiet_walk_asks_once_and_opens_nothing(org):
    org.files = [File(number(1), csv(line("r1")), NOON + HOUR)]
    pages = walk(org)
    org.asked.clear()
    org.opened.clear()
    org.now += HOUR
    again = walk(org, pages[-1].cursor)
    assert (len(again), len(org.asked), org.opened) == (1, 1, [])


def test_a_file_that_was_listed_late_is_read_and_others_are_not_read_again(org):
    org.files = [File(number(5), csv(line("r5")), org.now - timedelta(minutes=5))]
    position = walk(org)[-1].cursor
    org.files.append(File(number(4), csv(line("r4")), org.now - timedelta(minutes=6)))
    org.now += HOUR
    org.opened.clear()
    assert requests(walk(org, position)) == ["r4"]
    assert org.opened == [number(4)]


def test_full_reads_what_is_still_there_again_under_the_same_ids(org):
    org.files = [File(number(1), csv(line("r1")), NOON + HOUR)]
    first = walk(org)
    again = walk(org, first[-1].cursor, Mode.FULL)
    assert [one.ref for one in told(again)] == [one.ref for one in told(first)]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_large_file_is_read_in_pages_and_goes_on_after_each(org, fresh):
    many = [line(f"r{no}", URI=f"/x,{no}\nnext") for no in range(2 * logs_lines.ROWS + 5)]
    org.files = [
        File(number(1), csv(*many), NOON + HOUR),
        File(number(2), csv(line("last")), NOON + 2 * HOUR),
    ]
    pages = walk(org, fresh=fresh)
    assert [len(page.readings) for page in pages] == [logs_lines.ROWS, logs_lines.ROWS, 5, 1, 0]
    assert requests(pages) == [one["REQUEST_ID"] for one in (*many, line("last"))]
    assert org.opened == ([number(1)] * 3 + [number(2)] if fresh else [number(1), number(2)])


def test_a_page_holds_no_more_than_so_many_bytes(org):
    wide = [line(f"r{no}", URI="x" * 90_000) for no in range(200)]
    org.files = [File(number(1), csv(*wide), NOON + HOUR)]
    pages = walk(org)
    assert [len(page.readings) for page in pages] == [89, 89, 22, 0]
    assert requests(pages) == [f"r{no}" for no in range(200)]


def test_a_body_that_breaks_off_is_asked_for_again_where_it_was_kept(org):
    many = [line(f"r{no}") for no in range(logs_lines.ROWS + 50)]
    org.files = [File(number(1), csv(*many), NOON + HOUR)]
    reader = Lines(org, People(), OVERLAP)
    page = reader.page(logs_place.read(logs_place.start(None, Mode.INCREMENTAL)))
    org.break_after = 0
    reader.close()
    for _ in range(2):
        with pytest.raises(Unavailable):
            reader.page(logs_place.read(page.cursor))
        assert org.open == 0
    org.break_after = None
    rest = reader.page(logs_place.read(page.cursor))
    reader.close()
    assert requests([page, rest]) == [one["REQUEST_ID"] for one in many]


def test_listings_are_followed_however_short_they_are(org):
    org.most = 2
    org.files = [File(number(no), csv(line(f"r{no}")), NOON + HOUR) for no in range(7)]
    pages = walk(org)
    assert requests(pages) == [f"r{no}" for no in range(7)]


def test_nothing_is_asked_about_measurements(org):
    walk(org)
    assert all(f"'{kind}'" in org.asked[0] for kind in LEFT_OUT)
    assert "EventType NOT IN (" in org.asked[0]


def test_who_was_logged_in_as_somebody_else_is_the_actor(org):
    as_user = line("r1", EVENT_TYPE="LoginAs", DELEGATED_USER_ID=ROOT[:15])
    named = line("r2", EVENT_TYPE="LoginAs", DELEGATED_USER_NAME="support@vendor.test")
    org.files = [File(number(1), csv(as_user, named), NOON + HOUR, "LoginAs")]
    first, second = (one.actor for one in told(walk(org)))
    assert (first.id, first.name, first.via) == (ROOT, "Root", "Maya Lindholm")
    assert (second.id, second.name, second.via) == (None, "support@vendor.test", "Maya Lindholm")


def test_the_app_of_an_api_call_is_told_beside_its_user(org):
    call = line("r1", EVENT_TYPE="ApiTotalUsage", CLIENT_NAME="loader", CONNECTED_APP_NAME="")
    nobody = line("r2", USER_ID="", USER_ID_DERIVED="")
    org.files = [File(number(1), csv(call, nobody), NOON + HOUR, "ApiTotalUsage")]
    first, second = (one.actor for one in told(walk(org)))
    assert (first.name, first.via) == ("Maya Lindholm", "loader")
    assert (second.kind, second.why) == (ActorKind.UNKNOWN, "the log line names nobody")


@pytest.mark.parametrize(
    ("told", "about"),
    [
        ({"PAGE_ENTITY_ID": CONTACT[:15]}, CONTACT),
        ({"URI": f"/{CONTACT[:15]}"}, CONTACT),
        ({"URI": f"/services/data/v60.0/sobjects/Contact/{CONTACT}?fields=Id"}, CONTACT),
        ({"PAGE_URL": f"/lightning/r/Contact/{CONTACT}/view"}, CONTACT),
        ({"API_RESOURCE": "/v60.0/sobjects/Gift__c/a0B000000000001AAA"}, "a0B000000000001AAA"),
        ({"DOCUMENT_ID": "069000000000001", "URI": f"/{CONTACT}"}, "069000000000001AAA"),
        ({"URI": "/services/data/v60.0/query/ContentDocument"}, None),
        ({"URI": "/home/home.jsp", "PAGE_ENTITY_ID": "none"}, None),
    ],
)
def test_which_record_was_looked_at_is_told_by_columns_and_addresses(org, told, about):
    org.files = [File(number(1), csv(line("r1", URI_ID_DERIVED="", **told)), NOON + HOUR)]
    (one,) = [one for page in walk(org) for one in page.readings]
    assert json.loads(one.fields.get(RECORD, "null")) == about


def test_the_short_stamp_will_do_and_a_line_without_one_is_of_its_files_hour(org):
    short = line("r1", TIMESTAMP="20261124120130.591", TIMESTAMP_DERIVED="")
    none = line("r2", TIMESTAMP_DERIVED="soon")
    org.files = [File(number(1), csv(short, none), NOON + HOUR)]
    first, second = told(walk(org))
    assert first.created_at == NOON + timedelta(seconds=90, milliseconds=591)
    assert second.created_at == NOON


def test_what_is_broken_is_a_gap_and_the_rest_is_read(org):
    odd = csv(line("r1")) + b'"too","few"\n' + csv(line("r2")).split(b"\n")[1] + b"\n"
    cut = csv(line("r3")) + b'"broken","off'
    org.files = [
        File(number(1), odd, NOON + HOUR),
        File(number(2), cut, NOON + 2 * HOUR, interval="Daily"),
        File(number(3), b"", NOON + 3 * HOUR),
        File(number(4), csv(line("r4")), NOON + 4 * HOUR),
    ]
    org.gone = {number(4)}
    pages = walk(org)
    assert requests(pages) == ["r1", "r2", "r3"]
    found = gaps(pages)
    assert ["1 lines" in found[0].why, "end of data" in found[1].why] == [True, True]
    assert [(gap.since, gap.until) for gap in found] == [
        (NOON, NOON + HOUR), (NOON, NOON + 24 * HOUR), (NOON, NOON + HOUR), (NOON, NOON + HOUR),
    ]  # fmt: skip
    assert "deleted before" in found[3].why
    assert pages[-1].done


def test_a_file_that_is_deleted_half_read_is_a_gap(org):
    many = [line(f"r{no}") for no in range(logs_lines.ROWS + 5)]
    org.files = [File(number(1), csv(*many), NOON + HOUR), File(number(2), csv(line("x")), org.now)]
    reader = Lines(org, People(), OVERLAP)
    page = reader.page(logs_place.read(logs_place.start(None, Mode.INCREMENTAL)))
    reader.close()
    del org.files[0]
    rest = walk(org, page.cursor)
    assert requests(rest) == ["x"]
    assert "half read" in gaps(rest)[0].why


def test_everything_two_days_old_is_taken_for_complete(org):
    last = walk(org)[-1]
    assert last.watermark == org.now
    assert last.complete_to == org.now - LATE
    assert last.swept is None


def test_files_that_were_dropped_before_they_were_read_are_a_gap(org):
    org.files = [File(number(1), csv(line("r1")), NOON + HOUR)]
    position = walk(org)[-1].cursor
    mark = org.now
    org.now += 40 * HOUR
    org.files = [File(number(2), csv(line("r2")), org.now - HOUR)]
    pages = walk(org, position)
    ((since, until),) = [(gap.since, gap.until) for gap in gaps(pages)]
    assert (since, until) == (mark, org.now - HOUR)
    org.now += 40 * HOUR
    assert gaps(walk(org, pages[-1].cursor)) == []


def test_a_foreign_position_is_told():
    odd = '{"phase":"rest"}'
    assert logs_place.start(odd, Mode.INCREMENTAL) == odd
    assert logs_place.start(odd, Mode.FULL) == logs_place.start(None, Mode.INCREMENTAL)
    with pytest.raises(CursorLost):
        logs_place.read(odd)


def test_the_schema_of_lines_can_be_written_by_nobody():
    fields = schema_of("sf").fields.values()
    assert RECORD in {one.name for one in fields}
    assert not any(one.updateable or one.createable for one in fields)
