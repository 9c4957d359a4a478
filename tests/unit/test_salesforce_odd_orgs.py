"""Orgs that hold to the facts and to nothing beyond: other clocks, bare answers, missing parts."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.salesforce import connect
from connectors.salesforce import cursor as position
from connectors.salesforce.cursor import Cursor, Phase
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CredentialsRefused, Unavailable
from crmtrail.model import ActorKind, Identity, Loss, Mode, Page, Reading, Ref, Verdict, Write
from crmtrail.ports import Connector
from support.odd_org import ADA, MINUTE, NAMES, OddOrg, told
from support.scripted_http import Scripted, ScriptedServer

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
MONTHS_AGO = datetime(2026, 1, 15, 8, tzinfo=UTC)
ONE, TWO = "001000000000001AAA", "001000000000002AAA"
REFUSED = Scripted(400, [{"errorCode": "ODD", "message": "words"}])
ABSENT = Scripted(404, [{"errorCode": "NOT_FOUND", "message": "words"}])


class OurClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@contextmanager
def connected(odd: OddOrg, ours: datetime = TEN) -> Iterator[Connector]:
    with ScriptedServer(otherwise=odd) as server:
        auth = AuthConfig(token=SecretStr("00Dtoken"))
        config = SourceConfig(kind="salesforce", base_url=server.url, auth=auth, history_months=0)
        with closing(connect("sf", config, auth, OurClock(ours))) as connector:
            yield connector


def run(sf: Connector, kept: str | None, mode: Mode = Mode.INCREMENTAL) -> list[Page]:
    pages: list[Page] = []
    cursor = sf.start("Account", kept, mode)
    while not pages or not pages[-1].done:
        pages.append(sf.page("Account", cursor))
        cursor = pages[-1].cursor
        assert len(pages) < 50, "the run does not end"
    return pages


def names(pages: list[Page]) -> list[object]:
    return [reading.fields["Name"] for page in pages for reading in page.readings]


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
    odd = OddOrg(stamps - age, date)
    odd.save(ONE, Name="a")
    odd.now = stamps
    with connected(odd, ours) as sf:
        pages = run(sf, None)
        marks = [pages[-1].watermark]
        for turn in range(4):
            odd.now += MINUTE
            odd.date = None if odd.date is None else odd.date + MINUTE
            odd.save(ONE, Name=f"b{turn}")
            odd.save(f"0010000000001{turn}0AAA", Name=f"new{turn}")
            horizon = horizon_of(pages)
            pages = run(sf, pages[-1].cursor)
            marks.append(pages[-1].watermark)
            found = {f'"b{turn}"', f'"new{turn}"'}
            assert found <= set(names(pages))
            made = [r for page in pages for r in page.readings if r.fields["Name"] in found]
            assert horizon is not None
            assert all(r.created_at and r.created_at > horizon for r in made if r.ref.id != ONE)
        assert not [gap for page in pages for gap in page.gaps]
    assert None not in marks
    assert marks == sorted(mark for mark in marks if mark)


def test_a_change_within_the_newest_second_is_seen() -> None:
    odd = OddOrg(MONTHS_AGO, TEN)
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        pages = run(sf, None)
        horizon = horizon_of(pages)
        odd.save(ONE, Name="b")
        odd.save(TWO, Name="c")
        pages = run(sf, pages[-1].cursor)
    assert names(pages) == ['"b"', '"c"']
    made = pages[0].readings[1].created_at
    assert horizon is not None
    assert made is not None
    assert made > horizon


def test_quiet_polls_become_two_calls_without_a_row_though_the_clocks_never_met() -> None:
    odd = OddOrg(TEN - timedelta(hours=3), TEN)
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        kept = run(sf, None)[-1].cursor
        for _ in range(5):
            assert odd.date is not None
            odd.date += 5 * MINUTE
            odd.asked.clear()
            pages = run(sf, kept)
            kept = pages[-1].cursor
            assert len(odd.asked) == 2
    assert names(pages) == []


def test_deletions_are_listed_since_the_last_poll_though_the_mark_lies_behind() -> None:
    odd = OddOrg(TEN - timedelta(days=40), TEN)
    odd.save(ONE, Name="a")
    odd.save(TWO, Name="b")
    with connected(odd) as sf:
        pages = run(sf, None)
        odd.now = odd.date = TEN + MINUTE
        odd.purge(TWO)
        pages = run(sf, pages[-1].cursor)
    (removal,) = pages[-1].removals
    assert (removal.ref.id, removal.loss, removal.at) == (TWO, Loss.PURGED, TEN + MINUTE)
    assert not [gap for page in pages for gap in page.gaps]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_pages_without_done_or_size_are_followed_to_the_end(size: int) -> None:
    odd = OddOrg(TEN - timedelta(hours=1), TEN, page=size)
    ids = [f"00100000000000{number}AAA" for number in range(7)]
    for id_ in ids:
        odd.save(id_, Name="a")
    with connected(odd) as sf:
        pages = run(sf, None)
        assert sorted(r.ref.id for page in pages for r in page.readings) == ids
        assert pages[-1].expected == 7
        odd.now += 59 * MINUTE
        for id_ in ids:
            odd.save(id_, Name="b")
        assert names(run(sf, pages[-1].cursor)) == ['"b"'] * 7


@pytest.mark.parametrize("count", [REFUSED, ABSENT])
def test_an_object_that_cannot_be_counted_is_loaded_all_the_same(count: Scripted) -> None:
    odd = OddOrg(TEN, TEN, answers={"COUNT": count})
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        pages = run(sf, None)
    assert (len(names(pages)), pages[-1].done, pages[-1].expected) == (1, True, None)


def test_a_describe_without_flags_lets_salesforce_decide() -> None:
    odd = OddOrg(TEN, TEN, describe={"label": None})
    odd.answers["/deleted"] = ABSENT
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        fields = sf.schema("Account").fields
        pages = run(sf, None)
    assert {name for name, field in fields.items() if field.updateable} == {"Name"}
    assert pages[-1].done
    assert not [gap for page in pages for gap in page.gaps], "it never said it had such a list"


@pytest.mark.parametrize("answer", [REFUSED, ABSENT, Scripted(403, []), Scripted(405, [])])
def test_a_list_of_deletions_that_is_promised_and_refused_is_a_gap(answer: Scripted) -> None:
    odd = OddOrg(TEN, TEN)
    odd.answers["/deleted"] = answer
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        pages = run(sf, position.write(Cursor(Phase.REST, mark=TEN - 5 * MINUTE)))
    (gap,) = pages[-1].gaps
    assert (gap.since, gap.until) == (TEN - 15 * MINUTE, TEN)
    assert pages[-1].done


def test_an_object_without_a_bin_shows_live_rows_only() -> None:
    odd = OddOrg(TEN, TEN, names=tuple(n for n in NAMES if n not in ("Id", "IsDeleted")))
    odd.save(ONE, Name="a")
    odd.save(TWO, Name="b", IsDeleted=True)
    odd.purged[TWO] = TEN
    with connected(odd) as sf:
        pages = run(sf, position.write(Cursor(Phase.REST, mark=TEN - 5 * MINUTE)))
    assert names(pages) == ['"a"']
    (removal,) = pages[-1].removals
    assert (removal.ref.id, removal.loss) == (TWO, Loss.DELETED)
    assert not [target for target in odd.asked if "queryAll" in target]


def test_an_object_keeps_the_name_it_is_asked_by() -> None:
    odd = OddOrg(TEN, TEN, describe={"name": "Account", "replicateable": True})
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        assert sf.schema("account").object == "account"
        page = sf.page("account", sf.start("account", None, Mode.INCREMENTAL))
    assert page.object == "account"
    assert page.readings[0].ref == Ref("sf", "account", ONE)


def test_users_may_be_told_by_short_ids_and_hidden_ones_are_asked_for_once() -> None:
    odd = OddOrg(TEN, TEN)
    odd.save(ONE, Name="a")
    odd.records[ONE]["LastModifiedById"] = ADA[:15]
    with connected(odd) as sf:
        reading = run(sf, None)[0].readings[0]
        assert (reading.actor.kind, reading.actor.name) == (ActorKind.USER, "Ada")
    odd.answers["FROM+User"] = Scripted(403, [])
    odd.asked.clear()
    with connected(odd) as sf:
        kept = run(sf, None)[-1].cursor
        odd.now += MINUTE
        odd.save(TWO, Name="b")
        odd.records[TWO]["LastModifiedById"] = "005000000000009AAA"
        actor = run(sf, kept)[0].readings[-1].actor
    assert (actor.kind, actor.id) == (ActorKind.UNKNOWN, "005000000000009AAA")
    assert sum("FROM+User" in target for target in odd.asked) == 1


def test_nobody_is_accused_of_edits_where_only_the_creator_is_named() -> None:
    names_ = tuple(name for name in NAMES if not name.startswith("LastModified"))
    odd = OddOrg(TEN - MINUTE, TEN, names=names_)
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        pages = run(sf, None)
        assert pages[0].readings[0].actor.name == "Ada"
        odd.now = TEN
        odd.save(ONE, Name="b")
        (reading,) = run(sf, pages[-1].cursor)[0].readings
    assert reading.actor.kind is ActorKind.UNKNOWN


def identified(odd: OddOrg) -> Identity:
    with connected(odd) as sf:
        return sf.identity()


@pytest.mark.parametrize(
    "answer",
    [
        ABSENT,
        Scripted(403, b"Bad_OAuth_Token"),
        Scripted(405, []),
        Scripted(500, b"<html>"),
        Scripted(302, b"", {"Location": "https://login.example/"}),
        Scripted(200, b"<html>"),
        Scripted(200, {"sub": "https://login.example/id"}),
    ],
)
def test_no_missing_identity_endpoint_stops_anything(answer: Scripted) -> None:
    odd = OddOrg(TEN, TEN, answers={"userinfo": answer})
    odd.answers["FROM+Organization"] = Scripted(content={"records": [{"Id": "00D000000000001EAA"}]})
    assert identified(odd) == Identity("00D000000000001EAA", "", "", TEN)
    odd.answers["FROM+Organization"] = REFUSED
    assert identified(odd) == Identity("", "", "", TEN)


def test_a_refused_token_or_a_dead_org_is_no_empty_identity() -> None:
    odd = OddOrg(TEN, TEN, answers={"/": Scripted(401, [{"errorCode": "INVALID_SESSION_ID"}])})
    with pytest.raises(CredentialsRefused):
        identified(odd)
    odd.answers["/"] = Scripted(503, b"<html>")
    with pytest.raises(Unavailable):
        identified(odd)


def test_records_are_read_by_query_where_they_cannot_be_retrieved() -> None:
    odd = OddOrg(TEN, TEN, answers={"composite/": Scripted(405, [])})
    odd.save(ONE, Name="a")
    odd.save(TWO, Name="b", IsDeleted=True)
    with connected(odd) as sf:
        found = sf.read("Account", [ONE, TWO, "001000000000009AAA"])
    assert found.keys() == {ONE, TWO}
    assert isinstance(found[ONE], Reading)


@pytest.mark.parametrize("errors", [None, [], "left out"])
def test_save_results_may_leave_their_errors_out(errors: Any) -> None:
    result = {"id": ONE, "success": True} | ({} if errors == "left out" else {"errors": errors})
    refused = {"success": False, "errors": [{"errorCode": "ENTITY_IS_LOCKED", "message": "no"}]}
    odd = OddOrg(TEN, TEN, answers={"composite/": Scripted(content=[result, refused])})
    writes = [Write(Ref("sf", "Account", id_), {"Name": '"x"'}, id_) for id_ in (ONE, TWO)]
    with connected(odd) as sf:
        good, bad = sf.write("Account", writes)
    assert good.verdict is Verdict.ACCEPTED
    assert (bad.verdict, bad.code) == (Verdict.REFUSED, "ENTITY_IS_LOCKED")


def listing(*gone: dict[str, str]) -> Scripted:
    return Scripted(content={"deletedRecords": list(gone)})


def test_deletions_without_a_date_or_of_records_live_again_are_looked_at() -> None:
    odd = OddOrg(TEN, TEN)
    odd.save(ONE, Name="a")
    back = {"id": ONE, "deletedDate": told(TEN - MINUTE)}
    odd.answers["/deleted"] = listing(back, {"id": TWO})
    with connected(odd) as sf:
        pages = run(sf, position.write(Cursor(Phase.REST, mark=TEN - 5 * MINUTE)))
    (removal,) = pages[-1].removals
    assert (removal.ref.id, removal.loss, removal.at) == (TWO, Loss.PURGED, None)
    assert not [target for target in odd.asked if ONE in target], "the poll showed it live"


def test_a_mass_deletion_under_way_is_not_taken_for_a_purge() -> None:
    odd = OddOrg(TEN - MINUTE, TEN)
    ids = [f"001{number:012d}AAA" for number in range(450)]
    odd.answers["/deleted"] = listing(*({"id": id_, "deletedDate": told(TEN)} for id_ in ids))
    with connected(odd) as sf:
        page = sf.page("Account", position.write(Cursor(Phase.ROWS, mark=TEN - 5 * MINUTE)))
        for id_ in ids:
            odd.save(id_, Name="a", IsDeleted=True)
        page = sf.page("Account", page.cursor)
    assert len(page.removals) == 450
    assert {one.loss for one in page.removals} == {Loss.DELETED}
    assert {one.actor.name for one in page.removals} == {"Ada"}


def test_what_the_overlap_shows_again_is_no_news_and_names_nobody() -> None:
    odd = OddOrg(TEN - timedelta(hours=1), TEN)
    odd.save(ONE, Name="a")
    with connected(odd) as sf:
        kept = run(sf, None)[-1].cursor
    odd.now = TEN
    odd.save(ONE, Name="b")
    odd.save(TWO, Name="c", IsDeleted=True)
    with connected(odd) as sf:
        pages = run(sf, kept)
    assert [one.ref.id for page in pages for one in page.removals] == [TWO]
    for _ in range(2):
        odd.asked.clear()
        with connected(odd) as sf:
            pages = run(sf, pages[-1].cursor)
        assert len(odd.asked) == 3, "describe, rows, deletions"
        assert names(pages) == []
        assert not [one for page in pages for one in page.removals]
    odd.save(ONE, Name="d")  # in the second of the stamp that was read
    with connected(odd) as sf:
        assert names(run(sf, pages[-1].cursor)) == ['"d"']


def test_no_more_than_the_newest_rows_are_remembered() -> None:
    odd = OddOrg(TEN - timedelta(hours=1), TEN)
    with connected(odd) as sf:
        kept = run(sf, None)[-1].cursor
        odd.now = TEN
        for number in range(700):
            odd.save(f"001{number:012d}AAA", Name="a")
        last = run(sf, kept)[-1].cursor
        assert len(position.read(last).shown) == position.MOST_MET
        assert len(names(run(sf, last))) == 200
