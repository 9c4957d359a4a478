"""Pages and readings against scripted answers: the odd ones, which no healthy org gives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from connectors.salesforce import connect
from connectors.salesforce import cursor as position
from connectors.salesforce.cursor import Cursor, Phase
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import (
    Ambiguous,
    CursorLost,
    Mistake,
    PermissionMissing,
    Throttled,
    Unavailable,
)
from crmtrail.model import (
    ActorKind,
    Loss,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    Verdict,
    Write,
)
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)  # the Date of every scripted answer
ADA = "005000000000001AAA"
BOT = "005000000000002AAA"
ONE, TWO, TOP = "001000000000001AAA", "001000000000002AAA", "001000000000009AAA"
FIELDS = (
    "Id",
    "Name",
    "Amount__c",
    "IsDeleted",
    "MasterRecordId",
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "CreatedDate",
    "CreatedById",
)
DESCRIBE: dict[str, Any] = {
    "name": "Account",
    "label": "Account",
    "undeletable": True,
    "replicateable": True,
    "fields": [{"name": name, "updateable": True} for name in FIELDS],
}
USERS = {
    "totalSize": 2,
    "done": True,
    "records": [
        {
            "attributes": {"type": "User"},
            "Id": ADA,
            "Name": "Ada",
            "UserType": "Standard",
            "Profile": {"attributes": {"type": "Profile"}, "Name": "Sales"},
        },
        {
            "Id": BOT,
            "Name": "Bridge",
            "UserType": "Standard",
            "Profile": {"Name": "Salesforce API Only System Integrations"},
        },
    ],
}
COUNTED = Scripted(content={"totalSize": 1, "done": True, "records": []})
NOTHING = {"deletedRecords": [], "latestDateCovered": "2026-11-24T09:59:00.000+0000"}


def row(id_: str, at: str = "2026-11-24T09:30:00.000+0000", **more: Any) -> dict[str, Any]:
    return {
        "attributes": {"type": "Account", "url": f"/services/data/v62.0/sobjects/Account/{id_}"},
        "Id": id_,
        "Name": "Acme",
        "IsDeleted": False,
        "MasterRecordId": None,
        "SystemModstamp": at,
        "LastModifiedDate": at,
        "LastModifiedById": ADA,
        "CreatedDate": "2026-01-01T00:00:00.000+0000",
        "CreatedById": BOT,
        **more,
    }


def rows(*records: Any, done: bool = True) -> Scripted:
    return Scripted(content={"totalSize": len(records), "done": done, "records": list(records)})


def refusal(code: str, status: int = 400) -> Scripted:
    return Scripted(status, [{"errorCode": code, "message": "words"}])


def query_of(asked: Asked) -> str:
    return parse_qs(urlsplit(asked.target).query).get("q", [""])[0]


def standing(asked: Asked) -> Scripted:
    """Answer what every test needs and none is about."""
    if asked.target.endswith("/describe"):
        return Scripted(content=DESCRIBE)
    if "FROM User" in query_of(asked):
        return Scripted(content=USERS)
    return Scripted(599, asked.target)


class Org(ScriptedServer):
    """Answers describes and user look-ups by itself and all else from the script.

    A path in ``refusals`` is refused instead.
    """

    def __init__(self, *script: Scripted) -> None:
        super().__init__(*script)
        self.refusals: dict[str, Scripted] = {}
        self.described: dict[str, Any] = DESCRIBE

    def answer(self, asked: Asked) -> Scripted:
        for path, refused in self.refusals.items():
            if path in asked.target:
                self.asked.append(asked)
                return refused
        if asked.target.endswith("/describe"):
            self.asked.append(asked)
            return Scripted(content=self.described)
        usual = standing(asked)
        if usual.status == 599:
            return super().answer(asked)
        self.asked.append(asked)
        return usual


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 3, tzinfo=UTC)


@contextmanager
def org(*script: Scripted, **more: Any) -> Iterator[tuple[Org, Connector]]:
    with Org(*script) as server:
        auth = AuthConfig(token=SecretStr("00Dtoken"))
        told = {"history_months": 0, **more}
        config = SourceConfig(kind="salesforce", base_url=server.url, auth=auth, **told)
        connector = connect("sf", config, auth, Clock())
        try:
            yield server, connector
        finally:
            connector.close()


def polled(since: datetime = TEN - timedelta(hours=1)) -> str:
    return position.write(Cursor(Phase.REST, mark=since))


def first(connector: Connector, kept: str | None, mode: Mode = Mode.INCREMENTAL) -> Page:
    return connector.page("Account", connector.start("Account", kept, mode))


def finish(connector: Connector, page: Page) -> list[Page]:
    pages = [page]
    while not pages[-1].done:
        pages.append(connector.page("Account", pages[-1].cursor))
    return pages


def test_a_quiet_poll_costs_one_query_and_one_list_of_deletions() -> None:
    with org(rows(), Scripted(content=NOTHING)) as (server, sf):
        sf.schema("Account")
        before = sf.calls
        pages = finish(sf, first(sf, polled()))
        assert sf.calls - before == 2
        assert "SystemModstamp >= 2026-11-24T08:50:00.000Z" in query_of(server.asked[1])
        assert "/queryAll" in server.asked[1].target
        assert "/sobjects/Account/deleted/?start=2026-11-24T08%3A50%3A00" in server.asked[2].target
    last = pages[-1]
    assert last.complete_to == last.watermark == datetime(2026, 11, 24, 9, 59, tzinfo=UTC)
    assert position.read(last.cursor) == Cursor(Phase.REST, mark=last.watermark)


def test_a_reading_keeps_exact_tokens_and_sets_the_stamps_apart() -> None:
    body = json.dumps({"totalSize": 1, "done": True, "records": [row(ONE[:15])]})
    body = body.replace('"Name": "Acme"', '"Name": "Acme \\u00e9", "Amount__c": 1.10')
    with org(Scripted(content=body.encode()), Scripted(content=NOTHING)) as (_, sf):
        (reading,) = first(sf, polled()).readings
    assert reading.ref == Ref("sf", "Account", ONE)
    assert reading.fields["Amount__c"] == "1.10"
    assert reading.fields["Name"] == '"Acme \\u00e9"'
    assert {"SystemModstamp", "LastModifiedDate", "LastModifiedById"} <= reading.stamps.keys()
    assert not {"attributes", "IsDeleted", "SystemModstamp"} & reading.fields.keys()
    assert reading.modified_at == reading.edited_at == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert reading.read_at == TEN
    assert (reading.actor.kind, reading.actor.name) == (ActorKind.USER, "Ada")
    assert reading.creator is not None
    assert (reading.creator.kind, reading.creator.via) == (ActorKind.APP, "Bridge")


def test_a_field_that_is_not_told_stays_absent() -> None:
    bare = row(ONE)
    del bare["Name"]
    with org(rows(bare)) as (_, sf):
        (reading,) = first(sf, polled()).readings
    assert "Name" not in reading.fields


def test_people_are_asked_for_once() -> None:
    with org(rows(row(ONE)), Scripted(content=NOTHING), rows(row(TWO))) as (server, sf):
        finish(sf, first(sf, polled()))
        first(sf, polled())
        assert sum("FROM User" in query_of(asked) for asked in server.asked) == 1


def test_a_user_nobody_shows_is_unknown_with_the_reason() -> None:
    ghost = "005000000000003AAA"
    with org(rows(row(ONE, LastModifiedById=ghost))) as (_, sf):
        (reading,) = first(sf, polled()).readings
    assert (reading.actor.kind, reading.actor.id) == (ActorKind.UNKNOWN, ghost)
    assert reading.actor.why


def test_without_the_right_to_read_users_the_sync_goes_on() -> None:
    with org(rows(row(ONE))) as (server, sf):
        server.refusals["FROM+User"] = refusal("INVALID_TYPE")
        (reading,) = first(sf, polled()).readings
    assert (reading.actor.kind, reading.actor.id) == (ActorKind.UNKNOWN, ADA)
    assert reading.actor.why == "this identity may not read users"


def test_users_are_named_even_where_their_profiles_are_hidden() -> None:
    with org(rows(row(ONE))) as (server, sf):
        server.refusals["Profile.Name"] = refusal("INVALID_FIELD")
        (reading,) = first(sf, polled()).readings
        assert query_of(server.asked[-1]).startswith("SELECT Id,Name FROM User")
    assert reading.actor.name == "Ada"


def test_a_short_page_is_not_the_last_unless_salesforce_says_so() -> None:
    with org(rows(row(ONE), done=False), rows(row(TWO)), Scripted(content=NOTHING)) as (server, sf):
        pages = finish(sf, first(sf, polled()))
        second = query_of(server.asked[3])
    at = "2026-11-24T09:30:00.000Z"
    assert f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{ONE}'))" in second
    assert [reading.ref.id for page in pages for reading in page.readings] == [ONE, TWO]


def test_an_empty_page_in_the_middle_or_the_same_page_again_is_not_believed() -> None:
    with org(rows(done=False)) as (_, sf), pytest.raises(Unavailable, match="empty page"):
        first(sf, polled())
    with org(rows(row(ONE), done=False), rows(row(ONE), done=False)) as (_, sf):
        page = first(sf, polled())
        with pytest.raises(Unavailable, match="same page"):
            sf.page("Account", page.cursor)


def test_records_without_an_id_or_with_a_broken_stamp_are_not_believed() -> None:
    for broken in (row("nonsense"), row(ONE, SystemModstamp="yesterday")):
        with org(rows(broken)) as (_, sf), pytest.raises(Unavailable):
            first(sf, polled())


def test_a_run_goes_on_in_another_process_from_the_cursor_alone() -> None:
    with org(rows(row(ONE), done=False)) as (_, sf):
        page = first(sf, polled())
    with org(rows(row(TWO)), Scripted(content=NOTHING)) as (server, other):
        resumed = other.start("Account", page.cursor, Mode.INCREMENTAL)
        pages = finish(other, other.page("Account", resumed))
        assert f"Id > '{ONE}'" in query_of(server.asked[1])
    assert [reading.ref.id for reading in pages[0].readings] == [TWO]
    assert pages[-1].watermark == datetime(2026, 11, 24, 9, 59, tzinfo=UTC)


def test_a_field_dropped_since_the_describe_leads_to_a_new_describe_once() -> None:
    with org(refusal("INVALID_FIELD"), rows(row(ONE))) as (server, sf):
        sf.schema("Account")
        page = first(sf, polled())
        assert sum(asked.target.endswith("/describe") for asked in server.asked) == 2
    assert len(page.readings) == 1


def test_deleted_rows_of_a_poll_are_removals_with_their_author() -> None:
    with org(rows(row(ONE, IsDeleted=True))) as (_, sf):
        page = first(sf, polled())
    (removal,) = page.removals
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert (removal.loss, removal.at, removal.actor.name) == (Loss.DELETED, at, "Ada")
    assert removal.restorable_until == at + timedelta(days=15)
    assert page.readings == []


def test_what_was_created_and_deleted_since_the_last_poll_keeps_its_content() -> None:
    fleeting = row(ONE, IsDeleted=True, CreatedDate="2026-11-24T09:20:00.000+0000")
    with org(rows(fleeting)) as (_, sf):
        page = first(sf, polled())
    (reading,), (removal,) = page.readings, page.removals
    assert (reading.deleted, reading.fields["Name"]) == (True, '"Acme"')
    assert removal.ref == reading.ref


def test_who_edited_last_is_not_accused_of_a_later_deletion() -> None:
    deleted = row(ONE, IsDeleted=True, LastModifiedDate="2026-11-20T09:30:00.000+0000")
    with org(rows(deleted)) as (_, sf):
        (removal,) = first(sf, polled()).removals
    assert removal.actor.kind is ActorKind.UNKNOWN
    assert removal.actor.why


def test_a_merged_record_names_its_winner() -> None:
    with org(rows(row(ONE, IsDeleted=True, MasterRecordId=TOP[:15]))) as (_, sf):
        page = first(sf, polled())
    (removal,) = page.removals
    assert (removal.loss, removal.merged_into) == (Loss.MERGED, TOP)
    assert page.readings == []


def test_a_first_load_shows_the_bin_as_deleted_readings_and_ends_with_the_count() -> None:
    count = Scripted(content={"totalSize": 1, "done": True, "records": []})
    with org(rows(row(ONE), row(TWO, IsDeleted=True)), Scripted(content=NOTHING), count) as (
        server,
        sf,
    ):
        pages = finish(sf, first(sf, None))
        assert query_of(server.asked[1]).endswith("FROM Account ORDER BY Id LIMIT 2000")
        assert query_of(server.asked[-1]) == "SELECT COUNT() FROM Account"
        assert "/query/" in server.asked[-1].target
    assert [reading.deleted for reading in pages[0].readings] == [False, True]
    assert pages[0].removals == ()
    assert [page.expected for page in pages] == [None, None, 1]
    assert pages[-1].done


def test_a_count_that_takes_too_long_is_left_out() -> None:
    at = position.write(Cursor(Phase.COUNT, full=True, began=TEN))
    with org(refusal("QUERY_TIMEOUT")) as (_, sf):
        page = sf.page("Account", at)
    assert (page.done, page.expected, page.watermark) == (True, None, TEN)


def listing(*gone: tuple[str, str]) -> Scripted:
    entries = [{"id": id_, "deletedDate": at} for id_, at in gone]
    return Scripted(content={**NOTHING, "deletedRecords": entries})


def test_a_record_purged_at_once_is_told_from_one_in_the_bin() -> None:
    at = "2026-11-24T09:40:00.000+0000"
    gone = listing((ONE, at), (TWO, at))
    with org(rows(), gone, rows(row(TWO, IsDeleted=True))) as (server, sf):
        pages = finish(sf, first(sf, polled()))
        assert f"Id IN ('{ONE}','{TWO}')" in query_of(server.asked[3])
    found = {removal.ref.id: removal for removal in pages[-1].removals}
    assert (found[ONE].loss, found[TWO].loss) == (Loss.PURGED, Loss.DELETED)
    assert found[ONE].at == datetime(2026, 11, 24, 9, 40, tzinfo=UTC)
    assert (found[ONE].actor.kind, found[TWO].actor.name) == (ActorKind.UNKNOWN, "Ada")
    assert found[ONE].restorable_until is None


def test_deletions_already_shown_or_long_known_cost_nothing_more() -> None:
    shown = rows(row(ONE, IsDeleted=True))
    gone = listing((ONE, "2026-11-24T09:30:00.000+0000"), (TWO, "2026-11-24T08:10:00.000+0000"))
    with org(shown, gone) as (_, sf):
        pages = finish(sf, first(sf, polled()))
    assert [removal.ref.id for page in pages for removal in page.removals] == [ONE]


def test_a_list_of_deletions_with_broken_stamps_is_not_believed() -> None:
    broken = Scripted(content={"deletedRecords": [], "latestDateCovered": "lately"})
    with org(rows()) as (server, sf):
        page = first(sf, polled())
        for answer in (broken, listing((ONE, "some time ago"))):
            server.script.append(answer)
            with pytest.raises(Unavailable, match="no time stamp"):
                sf.page("Account", page.cursor)


def test_many_purged_records_are_listed_without_asking_for_each() -> None:
    gone = [(f"001{number:012d}AAA", "2026-11-24T09:40:00.000+0000") for number in range(500)]
    with org(rows(), listing(*gone)) as (_, sf):
        pages = finish(sf, first(sf, polled()))
    assert len(pages[-1].removals) == 500
    assert {removal.loss for removal in pages[-1].removals} == {Loss.PURGED}


def test_after_a_pause_of_weeks_what_cannot_be_known_is_a_gap() -> None:
    long_ago = TEN - timedelta(days=30)
    # A list that does not say how far back it reaches is not believed to reach back 30 days.
    nothing = Scripted(content=NOTHING)
    with org(rows(), nothing, nothing, rows(row(ONE)), COUNTED) as (_, sf):
        pages = finish(sf, first(sf, polled(long_ago)))
    (gap,) = (gap for page in pages for gap in page.gaps)
    assert gap.since == long_ago - timedelta(minutes=10)
    assert gap.until is not None
    assert timedelta(days=14) < TEN - gap.until < timedelta(days=15)
    assert "this run looks at every record" in gap.why
    assert [one.id for one in pages[3].sightings] == [ONE]
    assert (pages[-1].done, pages[-1].swept) == (True, TEN - timedelta(seconds=2))


def test_a_purged_list_of_deletions_makes_the_run_see_every_record() -> None:
    with org(rows()) as (server, sf):
        page = first(sf, polled())
        server.script += [refusal("INVALID_REPLICATION_DATE"), rows(row(ONE)), COUNTED]
        pages = finish(sf, sf.page("Account", page.cursor))
        assert "SELECT Id,IsDeleted," in query_of(server.asked[-2])
        assert query_of(server.asked[-2]).endswith("FROM Account ORDER BY Id LIMIT 2000")
    assert [page.done for page in pages] == [False, False, True]
    (gap,) = pages[0].gaps
    assert (gap.since, gap.until) == (TEN - timedelta(hours=1, minutes=10), TEN)
    assert [one.id for one in pages[1].sightings] == [ONE]
    assert pages[-1].swept == TEN - timedelta(seconds=2)


def test_too_many_deletions_are_read_in_halves() -> None:
    at = "2026-11-24T09:40:00.000+0000"
    with org(rows()) as (server, sf):
        page = first(sf, polled())
        server.script += [refusal("EXCEEDED_ID_LIMIT")]
        halved = sf.page("Account", page.cursor)
        server.script += [listing((ONE, at)), rows(), listing((TWO, at)), rows()]
        server.script += [Scripted(content=NOTHING)]  # the minute at the seam
        pages = finish(sf, sf.page("Account", halved.cursor))
    assert not halved.done
    assert [removal.ref.id for page in pages for removal in page.removals] == [ONE, TWO]


def test_a_list_too_long_for_one_page_is_cut_by_time() -> None:
    at = "2026-11-24T09:40:00.000+0000"
    many = [(f"001{number:012d}AAA", at) for number in range(20_001)]
    with org(rows(), listing(*many)) as (_, sf):
        first_of_all = first(sf, polled())
        page = sf.page("Account", first_of_all.cursor)
    assert (page.done, page.removals) == (False, ())
    assert position.read(page.cursor).span > 0


def test_an_object_without_a_stamp_is_read_in_full_each_time() -> None:
    bare = {**DESCRIBE, "fields": [{"name": "Id"}]}
    with org(rows({"Id": ONE}), Scripted(content=NOTHING), COUNTED) as (server, sf):
        server.described = bare
        pages = finish(sf, first(sf, polled()))
        assert query_of(server.asked[1]) == "SELECT Id FROM Account ORDER BY Id LIMIT 2000"
    assert [reading.ref.id for reading in pages[0].readings] == [ONE]
    assert pages[-1].swept == TEN - timedelta(seconds=2)


def test_without_a_list_of_objects_history_is_a_gap_and_records_are_read() -> None:
    with org(rows(row(ONE)), history_months=24) as (server, sf):
        server.script += [refusal("NOT_FOUND", 404), Scripted(content=NOTHING), COUNTED]
        pages = finish(sf, first(sf, None))
    assert [one.ref.id for one in pages[0].readings] == [ONE]
    (gap,) = pages[-1].gaps
    assert "who set them" in gap.why
    assert position.read(pages[-1].cursor).barred == ("the list of objects",)


def test_a_foreign_cursor_is_lost() -> None:
    with org() as (_, sf):
        cursor = sf.start("Account", "page 2", Mode.INCREMENTAL)
        with pytest.raises(CursorLost):
            sf.page("Account", cursor)
        assert position.read(sf.start("Account", "page 2", Mode.FULL)).phase is Phase.SWEEP
        with pytest.raises(CursorLost, match="no next page"):
            sf.page("Account", polled())


WIDE = {
    **DESCRIBE,
    "fields": [
        *DESCRIBE["fields"],
        *({"name": f"Custom_field_number_{number}__c"} for number in range(800)),
    ],
}


def test_a_wide_object_is_paged_narrowly_and_its_content_posted_for() -> None:
    contents = Scripted(content=[{**row(ONE), "Custom_field_number_1__c": 1.25}, None])
    with ScriptedServer(
        Scripted(content=WIDE),
        rows(row(ONE), row(TWO), row(TOP, IsDeleted=True)),
        contents,
        Scripted(content=USERS),
    ) as server:
        auth = AuthConfig(token=SecretStr("t"))
        config = SourceConfig(kind="salesforce", base_url=server.url, auth=auth, history_months=0)
        sf = connect("sf", config, auth, Clock())
        page = first(sf, polled())
        sf.close()
        posted = json.loads(server.asked[2].body)
        assert len(server.asked[1].target) < 2000
    assert posted["ids"] == [ONE, TWO]
    assert len(posted["fields"]) == 810
    (live,) = page.readings
    assert (live.ref.id, live.fields["Custom_field_number_1__c"]) == (ONE, "1.25")
    assert [removal.ref.id for removal in page.removals] == [TOP]


def test_read_tells_live_deleted_and_unknown_records_apart() -> None:
    answers = (Scripted(content=[row(ONE), None, None]), rows(row(TWO, IsDeleted=True)))
    with org(*answers) as (server, sf):
        found = sf.read("Account", [ONE[:15], TWO, TOP, "not an id"])
        assert json.loads(server.asked[1].body)["ids"] == [ONE, TWO, TOP]
    assert found.keys() == {ONE[:15], TWO}
    assert isinstance(found[ONE[:15]], Reading)
    assert isinstance(found[TWO], Removal)


def change(id_: str, key: str = "k", **fields: str) -> Write:
    return Write(Ref("sf", "Account", id_), fields, key)


def test_one_impossible_id_does_not_hide_the_others() -> None:
    impossible = ONE[:15] + "ZZZ"
    answers = (refusal("MALFORMED_ID"), Scripted(content=[row(ONE)]), rows())
    with org(*answers) as (server, sf):
        found = sf.read("Account", [impossible, ONE])
        assert json.loads(server.asked[2].body)["ids"] == [ONE]
    assert set(found) == {ONE}
    with org(refusal("MALFORMED_ID")) as (_, sf), pytest.raises(Mistake, match="MALFORMED_ID"):
        sf.read("Account", [ONE])


def test_more_ids_than_a_read_takes_are_a_callers_mistake() -> None:
    with org() as (_, sf), pytest.raises(ValueError, match="2000 ids"):
        sf.read("Account", [ONE] * 2001)


LOCKED = {"statusCode": "ENTITY_IS_LOCKED", "message": "a\nb", "fields": ["Name"]}


def test_a_write_sends_exact_tokens_and_maps_answers_by_place() -> None:
    answers = [
        {"id": ONE, "success": True, "errors": []},
        {"success": False, "errors": [LOCKED]},
    ]
    with org(Scripted(content=answers)) as (server, sf):
        one, two = sf.write(
            "Account",
            [change(ONE, "1", Amount__c="1.10", Name="null"), change(TWO, "2", Name='"x"')],
        )
        asked = server.asked[0]
    assert (asked.method, asked.target) == ("PATCH", "/services/data/v62.0/composite/sobjects")
    assert b'"Amount__c":1.10,"Name":null' in asked.body
    assert json.loads(asked.body)["allOrNone"] is False
    assert asked.headers["sforce-auto-assign"] == "FALSE"
    assert asked.headers["sforce-duplicate-rule-header"] == "allowSave=true"
    assert (one.key, one.verdict) == ("1", Verdict.ACCEPTED)
    assert (two.key, two.verdict, two.code) == ("2", Verdict.REFUSED, "ENTITY_IS_LOCKED")
    assert two.message == "a b (Name)"
    assert "approval" in two.hint


def test_too_few_answers_or_answers_for_others_are_ambiguous() -> None:
    good = {"id": ONE, "success": True, "errors": []}
    for answers in ([good], [good, good], [good, {"id": TWO}]):
        with org(Scripted(content=answers)) as (_, sf), pytest.raises(Ambiguous):
            sf.write("Account", [change(ONE, Name="null"), change(TWO, Name="null")])


def unreadable(asked: Asked) -> Scripted:
    """Refuse a request for one value that cannot be read, as Salesforce does."""
    records = json.loads(asked.body)["records"]
    if any(record.get("Amount__c") == "x" for record in records):
        return refusal("JSON_PARSER_ERROR")
    return Scripted(content=[{"id": r["id"], "success": True, "errors": []} for r in records])


def numbered(count: int, *bad: int) -> list[Write]:
    return [
        change(f"001{number:012d}AAA", str(number), Amount__c='"x"' if number in bad else "1")
        for number in range(count)
    ]


def test_the_rows_for_which_a_batch_is_refused_are_found() -> None:
    with org() as (server, sf):
        server.otherwise = unreadable
        answers = sf.write("Account", numbered(200, 7, 120))
        assert len(server.asked) < 32
    refused = [answer for answer in answers if answer.verdict is Verdict.REFUSED]
    assert [answer.key for answer in answers] == [str(number) for number in range(200)]
    assert [(one.key, one.code) for one in refused] == [
        ("7", "JSON_PARSER_ERROR"),
        ("120", "JSON_PARSER_ERROR"),
    ]


def test_the_search_for_refused_rows_is_bounded() -> None:
    with org() as (server, sf):
        server.otherwise = unreadable
        answers = sf.write("Account", numbered(200, *range(200)))
        assert len(server.asked) < 100
    assert {answer.verdict for answer in answers} == {Verdict.REFUSED}


def test_a_batch_of_which_a_part_was_written_is_never_called_unsent() -> None:
    with org(refusal("JSON_PARSER_ERROR")) as (server, sf):
        server.script += [
            Scripted(content=[{"id": numbered(1)[0].ref.id, "success": True, "errors": []}]),
            Scripted(429, b""),
        ]
        written, doubtful = sf.write("Account", numbered(2, 1))
        assert (written.verdict, doubtful.verdict) == (Verdict.ACCEPTED, Verdict.UNKNOWN)
    with org(refusal("JSON_PARSER_ERROR"), Scripted(429, b"")) as (_, sf), pytest.raises(Throttled):
        sf.write("Account", numbered(2, 1))


def test_nothing_is_sent_for_nothing_for_too_much_or_for_broken_values() -> None:
    with org() as (server, sf):
        assert sf.write("Account", []) == ()
        with pytest.raises(ValueError, match="10000"):
            sf.write("Account", [change(ONE, Name="null")] * 10_001)
        with pytest.raises(ValueError, match="JSON"):
            sf.write("Account", [change(ONE, Name="{broken")])
        with pytest.raises(Mistake, match="object name"):
            sf.write("Account; drop", [change(ONE, Name="null")])
        assert server.asked == []


def test_identity_falls_back_to_the_org_for_a_token_without_that_scope() -> None:
    info = {"organization_id": "00D000000000001EAA"[:15], "user_id": ADA, "name": "Ada"}
    with org(Scripted(content=info)) as (_, sf):
        told = sf.identity()
    assert (told.account, told.user, told.name) == ("00D000000000001EAA", ADA, "Ada")
    with org(refusal("FORBIDDEN", 403), rows({"Id": "00D000000000001EAA"})) as (_, sf):
        assert sf.identity().account == "00D000000000001EAA"
    with org(Scripted(429, b"")) as (_, sf), pytest.raises(Throttled):
        sf.identity()


def test_an_object_that_is_not_there_or_not_allowed_is_said_so() -> None:
    for status, code, wanted in (
        (404, "NOT_FOUND", Mistake),
        (403, "INSUFFICIENT_ACCESS", PermissionMissing),
    ):
        with org() as (server, sf):
            server.refusals["/describe"] = refusal(code, status)
            with pytest.raises(wanted):
                sf.schema("Nosuch__c")
