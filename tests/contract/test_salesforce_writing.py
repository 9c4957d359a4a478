"""The three ways of writing, undelete, recreate and remove, against the sandbox org."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.salesforce.client import Client
from connectors.salesforce.composite import Guarded
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.ingest import Ingest, Pace
from connectors.salesforce.recreating import Recreation
from connectors.salesforce.schema import Describe, know
from connectors.salesforce.tokens import tokens_for
from connectors.salesforce.undeleting import remove, undelete
from connectors.salesforce.writer import Writer
from connectors.salesforce.writing import update
from crmtrail.errors import Ambiguous, Unavailable
from crmtrail.model import NULL, Answer, Ref, Verdict, Write, moment, token_of
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock

ODD_TEXT = 'He said "yes, no";\nthen\tleft — #N/A, NA, null'
KINDS = {
    "Title": '"Head, of \\"Things\\""',
    "Description": token_of(ODD_TEXT),
    "HasOptedOutOfEmail": "true",
    "Birthdate": '"1984-02-29"',
    "EmailBouncedDate": '"2026-03-01T12:34:56.000+0000"',
    "Interests__c": '"Hardware;Training"',
    "Email": NULL,
    "Department": NULL,
}
MARK = {"Description": '"#N/A"'}
MONEY = {"AnnualRevenue": "1234567890123456.78", "Regions__c": '"EMEA;LATAM"'}
TIERS = ("composite", "collections", "bulk")


@dataclass
class Desk:
    """A restorer's writer, and the org it writes to."""

    rig: SalesforceRig
    client: Client
    writer: Writer
    pauses: list[float]

    def write(self, tier: str, writes: Sequence[Write]) -> Sequence[Answer]:
        object_ = writes[0].ref.object
        if tier == "collections":
            return update(self.writer, object_, writes)
        known = know("sf", self.client.get(f"sobjects/{object_}/describe", Describe), object_)
        if tier == "composite":
            return Guarded(self.writer, known).update(writes)
        return Ingest(self.writer, known, Pace(sleep=self.pauses.append)).update(writes)

    def truth(self, object_: str, id_: str) -> Mapping[str, Any]:
        (record,) = self.rig.sandbox.truth("salesforce", object_, id_)
        return record

    def create(self, object_: str, count: int, **fields: Any) -> list[str]:
        made = [{"fields": {"LastName": f"L{n}", **fields}} for n in range(count)]
        if object_ != "Contact":
            made = [{"fields": {"Name": f"N{n}", **fields}} for n in range(count)]
        by = {"kind": "user", "id": self.rig.user.id}
        done = self.rig.sandbox.act(
            "salesforce", do="create", object=object_, records=made, **{"as": by}
        )
        self.rig.turn(60)
        return [str(id_) for id_ in done["ids"]]

    def write_of(self, object_: str, id_: str, fields: Mapping[str, str]) -> Write:
        at = moment(self.truth(object_, id_)["LastModifiedDate"])
        return Write(Ref("sf", object_, id_), fields, id_, unmodified_since=at)

    def asked(self, since: int = 0) -> list[str]:
        found = self.rig.sandbox.requests(crm="salesforce", since=since)
        return [f"{each['method']} {each['path']}" for each in found]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with salesforce_rig() as rig:
        settings = rig.settings("restorer")
        tokens = tokens_for("sf", settings, settings.auth, WallClock())
        with closing(Client("sf", settings, tokens, "62.0", WallClock())) as client:
            client.query("SELECT Id FROM Organization")  # hears the vendor's clock
            yield Desk(rig, client, Writer(client), [])


@pytest.mark.parametrize("object_", ["Contact", "Account"])
def test_every_kind_of_value_is_stored_alike_by_each_way(desk: Desk, object_: str) -> None:
    stored = []
    for tier in TIERS:
        fields = KINDS if object_ == "Contact" else MONEY
        start = {"Email": "a@example.com", "Department": "Ops"} if object_ == "Contact" else {}
        (id_,) = desk.create(object_, 1, **start)
        (answer,) = desk.write(tier, [desk.write_of(object_, id_, fields)])
        assert answer.verdict is Verdict.ACCEPTED, answer
        truth = desk.truth(object_, id_)
        stored.append({name: truth[name] for name in fields})
    assert stored[0] == stored[1] == stored[2]
    if object_ == "Contact":
        assert stored[0]["Email"] is None
        assert stored[0]["Description"] == ODD_TEXT
        assert stored[0]["HasOptedOutOfEmail"] is True


def test_the_mark_for_clearing_is_a_text_like_any_other(desk: Desk) -> None:
    ids = desk.create("Contact", 2)
    writes = [desk.write_of("Contact", ids[0], MARK), desk.write_of("Contact", ids[1], KINDS)]
    assert [a.verdict for a in desk.write("bulk", writes)] == [Verdict.ACCEPTED] * 2
    assert desk.truth("Contact", ids[0])["Description"] == "#N/A"


def test_a_bulk_write_leaves_alone_what_is_not_told(desk: Desk) -> None:
    one, two = desk.create("Contact", 2, Title="T", Department="D")
    writes = [
        desk.write_of("Contact", one, {"Title": '"new"'}),
        desk.write_of("Contact", two, {"Department": NULL}),
    ]
    desk.write("bulk", writes)
    assert [desk.truth("Contact", one)[n] for n in ("Title", "Department")] == ["new", "D"]
    assert [desk.truth("Contact", two)[n] for n in ("Title", "Department")] == ["T", None]


@pytest.mark.parametrize("tier", TIERS)
def test_rows_are_refused_one_by_one_with_words(desk: Desk, tier: str) -> None:
    ids = desk.create("Contact", 5)
    desk.rig.sandbox.act("salesforce", do="lock", object="Contact", ids=[ids[1]])
    fields = [{"Title": '"x"'}] * 5
    fields[2] = {"Level__c": '"Imaginary"'}
    fields[3] = {"MasterRecordId": '"003000000000001AAA"'}
    writes = [desk.write_of("Contact", i, f) for i, f in zip(ids, fields, strict=True)]
    answers = desk.write(tier, writes)
    assert [a.code for a in answers] == [
        "",
        "ENTITY_IS_LOCKED",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "",
    ]
    assert all(a.message and a.hint for a in answers if a.verdict is Verdict.REFUSED)


def test_somebody_elses_edit_is_never_overwritten(desk: Desk) -> None:
    ids = desk.create("Contact", 30)
    writes = [desk.write_of("Contact", id_, {"Title": '"ours"'}) for id_ in ids]
    by = {"kind": "user", "id": desk.rig.user.id}
    theirs = [{"id": ids[27], "fields": {"Title": "theirs"}}]
    desk.rig.sandbox.act("salesforce", do="update", object="Contact", records=theirs, **{"as": by})
    answers = desk.write("composite", writes)
    assert [a.key for a in answers if a.verdict is Verdict.REFUSED] == [ids[27]]
    (refused,) = [a for a in answers if a.verdict is Verdict.REFUSED]
    assert refused.code == "PRECONDITION_FAILED"
    assert desk.rig.user.id in refused.message
    assert desk.truth("Contact", ids[27])["Title"] == "theirs"
    assert desk.truth("Contact", ids[0])["Title"] == "ours"


@pytest.mark.parametrize("compared", ["LastModifiedDate", "SystemModstamp"])
def test_a_stamp_that_the_system_moved_blocks_no_restore(desk: Desk, compared: str) -> None:
    (id_, *_) = desk.create("Contact", 1)
    desk.rig.sandbox.act("salesforce", do="precondition", stamp=compared)
    write = desk.write_of("Contact", id_, {"Title": '"ours"'})
    desk.rig.sandbox.act("salesforce", do="touch", object="Contact", ids=[id_])
    (answer,) = desk.write("composite", [write])
    assert answer.verdict is Verdict.ACCEPTED, answer
    assert desk.truth("Contact", id_)["Title"] == "ours"


PATHS = {
    "composite": ["/composite$"],
    "collections": ["composite/sobjects$"],
    "bulk": [
        r"jobs/ingest$",
        r"/batches$",
        r"jobs/ingest/\w+$",
        "successfulResults",
        "failedResults",
        "unprocessedrecords",
    ],
}


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "unavailable"])
@pytest.mark.parametrize(
    ("tier", "path"), [(tier, path) for tier, paths in PATHS.items() for path in paths]
)
def test_a_lost_answer_writes_nothing_twice_and_claims_nothing_false(
    desk: Desk, tier: str, path: str, kind: str
) -> None:
    ids = desk.create("Contact", 3)
    writes = [desk.write_of("Contact", id_, {"Title": '"ours"'}) for id_ in ids]
    method = "PATCH" if path.endswith(r"\w+$") else ""
    desk.rig.sandbox.fault(kind, crm="salesforce", path=path, method=method)
    unsent = doubtful = False
    try:
        answers: Sequence[Answer] = desk.write(tier, writes)
    except Unavailable:
        unsent, answers = True, ()
    except Ambiguous:
        doubtful, answers = True, ()
    desk.rig.sandbox.calm()
    written = [desk.truth("Contact", id_)["Title"] == "ours" for id_ in ids]
    if unsent:
        assert not any(written)
    for answer, landed in zip(answers, written, strict=False):
        if answer.verdict is not Verdict.UNKNOWN:
            assert landed is (answer.verdict is Verdict.ACCEPTED)
    assert unsent or doubtful or answers
    edits = [len(desk.rig.sandbox.journal(crm="salesforce", record=id_)) for id_ in ids]
    assert all(count <= 2 for count in edits)  # made once, written at most once


def test_a_job_that_fails_half_way_says_what_was_written(desk: Desk) -> None:
    ids = desk.create("Contact", 6)
    desk.rig.sandbox.act("salesforce", do="bulk", fail_ingest_after=2)
    answers = desk.write(
        "bulk", [desk.write_of("Contact", id_, {"Title": '"ours"'}) for id_ in ids]
    )
    assert [a.code for a in answers].count("UNPROCESSED") == 4
    for answer in answers:
        ours = desk.truth("Contact", answer.key)["Title"] == "ours"
        assert ours is (answer.verdict is Verdict.ACCEPTED)
    assert desk.pauses


def test_a_job_that_does_not_end_is_stopped(desk: Desk) -> None:
    ids = desk.create("Contact", 2)
    desk.rig.sandbox.act("salesforce", do="bulk", polls=50)
    known = know("sf", desk.client.get("sobjects/Contact/describe", Describe), "Contact")
    now = iter(range(0, 10_000, 100))
    pace = Pace(sleep=desk.pauses.append, monotonic=lambda: float(next(now)), deadline=250)
    writes = [desk.write_of("Contact", id_, {"Title": '"ours"'}) for id_ in ids]
    answers = Ingest(desk.writer, known, pace).update(writes)
    for answer in answers:
        ours = desk.truth("Contact", answer.key)["Title"] == "ours"
        assert answer.verdict is not Verdict.UNKNOWN
        assert ours is (answer.verdict is Verdict.ACCEPTED)


def test_the_connector_goes_by_bulk_for_many(desk: Desk) -> None:
    with closing(desk.rig.connect_restorer()) as sf:
        assert (sf.write_batch, sf.bulk_batch) == (200, 10_000)
        ids = desk.create("Contact", 2_001)
        before = sf.calls
        writes = [Write(Ref("sf", "Contact", id_), {"Title": '"x"'}, id_) for id_ in ids]
        answers = sf.write("Contact", writes)
    assert {a.verdict for a in answers} == {Verdict.ACCEPTED}
    assert [a.key for a in answers] == ids
    assert sf.calls - before < 14


def bare(object_: str, ids: Sequence[str]) -> list[Write]:
    return [Write(Ref("sf", object_, id_), {}, id_) for id_ in ids]


def test_undelete_tells_what_cannot_come_back_and_why(desk: Desk) -> None:
    gone, live, purged = desk.create("Contact", 3)
    (parent,) = desk.create("Account", 1)
    (child,) = desk.create("Contact", 1, AccountId=parent)
    desk.rig.sandbox.act(
        "salesforce", do="delete", object="Contact", records=[{"id": i} for i in (gone, purged)]
    )
    desk.rig.sandbox.act("salesforce", do="purge", object="Contact", ids=[purged])
    desk.rig.sandbox.act("salesforce", do="delete", object="Account", records=[{"id": parent}])
    answers = undelete(desk.writer, "Contact", bare("Contact", [gone, live, purged, child]))
    assert [a.verdict for a in answers[:2]] == [Verdict.ACCEPTED] * 2
    assert [a.verdict for a in answers[2:]] == [Verdict.REFUSED] * 2
    assert "anew" in answers[2].hint
    assert "parent first" in answers[3].hint
    assert undelete(desk.writer, "Account", bare("Account", [parent]))[0].verdict is (
        Verdict.ACCEPTED
    )
    assert not desk.truth("Contact", child)["IsDeleted"]


def test_remove_moves_to_the_bin_and_knows_what_is_there(desk: Desk) -> None:
    one, two = desk.create("Contact", 2)
    answers = remove(desk.writer, "Contact", bare("Contact", [one]))
    answers = [*answers, *remove(desk.writer, "Contact", bare("Contact", [one, two]))]
    assert {a.verdict for a in answers} == {Verdict.ACCEPTED}
    assert "already" in answers[1].message


@pytest.mark.parametrize("call", [undelete, remove])
def test_a_lost_word_on_a_deletion_or_its_undoing_is_ambiguous(
    desk: Desk, call: Callable[[Writer, str, Sequence[Write]], Sequence[Answer]]
) -> None:
    (id_,) = desk.create("Contact", 1)
    if call is undelete:
        remove(desk.writer, "Contact", bare("Contact", [id_]))
    desk.rig.sandbox.fault("reset_after", crm="salesforce", path="sobjects|Soap")
    with pytest.raises(Ambiguous):
        call(desk.writer, "Contact", bare("Contact", [id_]))


LOST = {
    "LastName": '"Lovelace"',
    "Email": '"ada@example.com"',
    "Description": token_of(ODD_TEXT),
    "EmailBouncedReason": '"full"',
    "IsEmailBounced": "true",
    "CreatedDate": '"2019-05-01T10:00:00.000+0000"',
    "Title": NULL,
    "Old_Field__c": '"x"',
}


def recreation(desk: Desk) -> Recreation:
    with closing(desk.rig.connect_restorer()) as sf:
        user = sf.identity().user
    return Recreation(desk.writer, "Contact", lambda: user)


def lost(key: str = "k", **more: str) -> Write:
    return Write(Ref("sf", "Contact", "003000000000001AAA"), {**LOST, **more}, key)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_record_is_made_anew_with_its_dates_where_that_is_permitted(
    desk: Desk, allowed: bool
) -> None:
    if allowed:
        desk.rig.sandbox.act("salesforce", do="allow_audit_fields", user="CRM Restorer")
    (answer,) = recreation(desk).make([lost()])
    assert answer.verdict is Verdict.ACCEPTED, answer
    assert answer.id
    truth = desk.truth("Contact", answer.id)
    assert truth["LastName"] == "Lovelace"
    assert truth["Description"] == ODD_TEXT
    assert truth["EmailBouncedReason"] == "full"
    assert truth["CreatedDate"].startswith("2019-05-01") is allowed
    assert "Old_Field__c" in answer.message
    assert ("Set Audit Fields" in answer.message) is not allowed


def test_what_cannot_be_made_anew_is_refused_row_by_row(desk: Desk) -> None:
    nameless, fussy, fine = recreation(desk).make(
        [lost("1", LastName=NULL), lost("2", Level__c='"Imaginary"'), lost("3")]
    )
    assert (nameless.code, fussy.code, fine.code) == (
        "REQUIRED_FIELD_MISSING",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "",
    )
    assert "LastName" in nameless.message


def test_a_record_made_by_a_lost_request_is_found_again(desk: Desk) -> None:
    maker = recreation(desk)
    writes = [lost("1"), lost("2", LastName='"Hopper"', Email='"grace@example.com"')]
    since = desk.client.told_at - timedelta(seconds=2)
    assert maker.found(writes, since) == {}
    desk.rig.sandbox.fault("reset_after", crm="salesforce", path="composite/sobjects$")
    with pytest.raises(Ambiguous):
        maker.make(writes)
    found = maker.found(writes, since)
    assert {key: desk.truth("Contact", id_ or "")["LastName"] for key, id_ in found.items()} == {
        "1": "Lovelace",
        "2": "Hopper",
    }
    maker.make(writes)
    assert maker.found(writes, since) == {"1": None, "2": None}
    later = datetime.now(UTC) + timedelta(days=400)
    assert maker.found(writes, later) == {}


def test_the_connector_offers_them_all(desk: Desk) -> None:
    (id_,) = desk.create("Contact", 1)
    connector = desk.rig.connect_restorer()
    assert isinstance(connector, Salesforce)
    with closing(connector) as sf:
        assert sf.remove("Contact", bare("Contact", [id_]))[0].verdict is Verdict.ACCEPTED
        assert sf.undelete("Contact", bare("Contact", [id_]))[0].verdict is Verdict.ACCEPTED
        (made,) = sf.recreate("Contact", [lost()])
        assert made.id
        since = desk.client.told_at - timedelta(minutes=5)
        assert sf.recreated("Contact", [lost()], since) == {"k": made.id}
        with pytest.raises(ValueError, match="200"):
            sf.remove("Contact", bare("Contact", [id_] * 201))
