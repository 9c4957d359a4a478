"""What is peculiar to Salesforce, against the sandbox org."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from crmtrail.errors import CredentialsRefused, Mistake, PermissionMissing
from crmtrail.model import NULL, ActorKind, Loss, Mode, Reading, Ref, Verdict, Write
from crmtrail.ports import Connector
from support.connector_rig import drive
from support.salesforce_rig import SalesforceRig, salesforce_rig


@pytest.fixture
def rig() -> Iterator[SalesforceRig]:
    with salesforce_rig() as made:
        yield made


@pytest.fixture
def sf(rig: SalesforceRig) -> Iterator[Connector]:
    with closing(rig.connect()) as connector:
        yield connector


@pytest.fixture
def restorer(rig: SalesforceRig) -> Iterator[Connector]:
    with closing(rig.connect_restorer()) as connector:
        yield connector


def write(rig: SalesforceRig, id_: str, **fields: str) -> Write:
    return Write(Ref(rig.source, rig.object, id_), fields, id_)


def test_every_listed_object_can_be_loaded_and_polled(rig: SalesforceRig, sf: Connector) -> None:
    for name in sf.objects():
        rig.object = name
        loaded = drive(rig, sf)
        polled = drive(rig, sf, loaded.position)
        live = [one for one in loaded.readings if not one.deleted]
        assert len(live) == len(rig.truth()), name
        assert not polled.removals


def test_a_first_load_keeps_what_lies_in_the_bin(rig: SalesforceRig, sf: Connector) -> None:
    (gone, *_) = rig.create(2)
    rig.update([gone], {rig.text_field: "last words"})
    rig.turn(3600)
    rig.delete([gone])
    run = drive(rig, sf)
    assert run.removals == []
    (reading,) = [one for one in run.readings if one.deleted]
    assert (reading.ref.id, reading.fields[rig.text_field]) == (gone, '"last words"')
    assert reading.actor.name == rig.user.name


def test_a_record_purged_at_once_is_told_from_one_in_the_bin(
    rig: SalesforceRig, sf: Connector
) -> None:
    purged, binned = rig.create(2)
    rig.turn(7200)
    position = drive(rig, sf).position
    rig.turn(7200)
    rig.delete([purged, binned])
    rig.act(do="purge", object=rig.object, ids=[purged])
    rig.turn(120)
    found = {one.ref.id: one for one in drive(rig, sf, position).removals}
    assert (found[purged].loss, found[binned].loss) == (Loss.PURGED, Loss.DELETED)
    assert found[purged].actor.kind is ActorKind.UNKNOWN
    assert found[binned].actor.id == rig.user.id
    assert found[binned].restorable_until is not None
    assert found[binned].restorable_until - found[binned].read_at > timedelta(days=14)


def test_a_transaction_that_commits_late_is_not_missed(rig: SalesforceRig, sf: Connector) -> None:
    (id_, *_) = rig.create(1)
    rig.turn(7200)
    position = drive(rig, sf).position
    late = {"id": id_, "fields": {rig.text_field: "late"}}
    rig.act(do="update", object=rig.object, records=[late], commit_delay=3600)
    for _ in range(5):  # each poll moves on, past the stamp that is to come
        rig.turn(600)
        position = drive(rig, sf, position).position
    rig.turn(900)
    run = drive(rig, sf, position)
    assert run.reading(id_).fields[rig.text_field] == '"late"'


def test_a_stamp_moved_by_the_system_is_nobodys_edit(rig: SalesforceRig, sf: Connector) -> None:
    (id_, *_) = rig.create(1)
    rig.turn(7200)
    position = drive(rig, sf).position
    rig.act(do="touch", object=rig.object, ids=[id_])
    reading = drive(rig, sf, position).reading(id_)
    assert reading.modified_at - reading.edited_at > timedelta(hours=1)


def test_a_log_of_deletions_cut_short_is_a_gap(rig: SalesforceRig, sf: Connector) -> None:
    rig.turn(7200)
    position = drive(rig, sf).position
    rig.turn(7200)
    rig.act(do="cut_delete_log")
    rig.turn(60)
    run = drive(rig, sf, position)
    (gap,) = run.gaps
    assert gap.object == rig.object
    assert gap.since is not None
    assert gap.until is not None
    assert gap.until - gap.since > timedelta(hours=2)
    assert drive(rig, sf, run.position, Mode.RECONCILE).pages[-1].expected == len(rig.truth())


def test_more_deletions_than_one_answer_may_hold(rig: SalesforceRig, sf: Connector) -> None:
    made = rig.create(12)
    rig.turn(7200)
    position = drive(rig, sf).position
    for number in range(0, 12, 4):
        rig.turn(3600)
        rig.delete(made[number : number + 4])
        rig.act(do="purge", object=rig.object, ids=made[number : number + 4])
    rig.turn(3600)
    rig.act(do="cap_ids", most=5)
    run = drive(rig, sf, position)
    assert {one.ref.id for one in run.removals} == set(made)
    assert run.gaps == []


def test_after_a_month_of_silence_a_gap_is_told_and_a_sweep_finds_the_rest(
    rig: SalesforceRig, sf: Connector
) -> None:
    made = rig.create(2)
    rig.turn(7200)
    position = drive(rig, sf).position
    rig.turn(3600)
    rig.delete(made[:1])
    rig.turn(30 * 86400)
    run = drive(rig, sf, position)
    assert len(run.gaps) == 1
    assert made[0] not in run.seen()
    assert run.pages[-1].expected == len(rig.truth()) == len(run.seen())
    assert run.pages[-1].swept is not None


@pytest.mark.parametrize("days", [15, 30])
def test_deletions_of_three_weeks_are_told_where_the_org_lists_a_month(
    rig: SalesforceRig, sf: Connector, days: int
) -> None:
    rig.act(do="delete_days", days=days)
    made = rig.create(2)
    rig.turn(7200)
    position = drive(rig, sf).position
    rig.turn(3600)
    rig.delete(made[:1])
    rig.act(do="purge", object=rig.object, ids=made[:1])
    rig.turn(20 * 86400)
    run = drive(rig, sf, position)
    listed = [one.ref.id for one in run.removals]
    if days == 30:
        assert (listed, run.gaps, run.pages[-1].swept) == (made[:1], [], None)
    else:
        (gap,) = run.gaps
        assert "15 days" in gap.why
        assert listed == []
        assert run.pages[-1].swept is not None
        assert made[0] not in run.seen()


def test_a_session_ended_in_the_middle_is_told_once(rig: SalesforceRig, sf: Connector) -> None:
    first = sf.page(rig.object, sf.start(rig.object, None, Mode.INCREMENTAL))
    rig.act(do="end_sessions")
    before = rig.requests()
    with pytest.raises(CredentialsRefused, match="INVALID_SESSION_ID"):
        sf.page(rig.object, first.cursor)
    assert rig.requests() - before == 1


def test_a_field_hidden_in_the_middle_of_a_run_is_absent_from_then_on(
    rig: SalesforceRig, sf: Connector
) -> None:
    rig.create(rig.many)
    first = sf.page(rig.object, sf.start(rig.object, None, Mode.INCREMENTAL))
    rig.hide(rig.text_field)
    run = drive(rig, sf, first.cursor)
    assert all(rig.text_field in one.fields for one in first.readings)
    assert all(rig.text_field not in one.fields for one in run.readings)
    assert len(first.readings) + len(run.readings) == len(rig.truth())


def test_refusals_come_row_by_row_with_a_hint(rig: SalesforceRig, restorer: Connector) -> None:
    locked, busy, fine, fussy = rig.create(4)
    rig.act(do="lock", object=rig.object, ids=[locked])
    rig.act(do="lock_row", object=rig.object, ids=[busy])
    answers = restorer.write(
        rig.object,
        [
            write(rig, locked, Site='"x"'),
            write(rig, busy, Site='"x"'),
            write(rig, fine, Site='"x"'),
            write(rig, fussy, Name=NULL),
        ],
    )
    assert [(one.verdict, one.code) for one in answers] == [
        (Verdict.REFUSED, "ENTITY_IS_LOCKED"),
        (Verdict.REFUSED, "UNABLE_TO_LOCK_ROW"),
        (Verdict.ACCEPTED, ""),
        (Verdict.REFUSED, "REQUIRED_FIELD_MISSING"),
    ]
    assert all(one.hint for one in answers if one.verdict is Verdict.REFUSED)
    (again,) = restorer.write(rig.object, [write(rig, busy, Site='"x"')])
    assert again.verdict is Verdict.ACCEPTED


def test_a_value_that_cannot_be_read_costs_only_its_own_row(
    rig: SalesforceRig, restorer: Connector
) -> None:
    ids = rig.create(20)
    fields = [{"SLAExpirationDate__c": '"soon"'} if n == 13 else {"Site": '"x"'} for n in range(20)]
    pairs = zip(ids, fields, strict=True)
    answers = restorer.write(rig.object, [write(rig, id_, **values) for id_, values in pairs])
    assert [n for n, one in enumerate(answers) if one.verdict is Verdict.REFUSED] == [13]
    assert sum(record["Site"] == '"x"' for record in rig.truth().values()) == 19


def test_half_a_batch_refused_is_half_a_batch_written(
    rig: SalesforceRig, restorer: Connector
) -> None:
    ids = rig.create(10)
    rig.sandbox.fault("half_batch", crm="salesforce", path="composite/sobjects")
    answers = restorer.write(rig.object, [write(rig, id_, Site='"x"') for id_ in ids])
    accepted = [one.key for one in answers if one.verdict is Verdict.ACCEPTED]
    assert len(accepted) == 5
    truth = rig.truth()
    assert [id_ for id_ in ids if truth[id_]["Site"] == '"x"'] == accepted


def test_exact_numbers_are_restored_exactly(rig: SalesforceRig, restorer: Connector) -> None:
    (id_, *_) = rig.create(1)
    (answer,) = restorer.write(rig.object, [write(rig, id_, AnnualRevenue="1234567.10")])
    assert answer.verdict is Verdict.ACCEPTED
    found = restorer.read(rig.object, [id_])[id_]
    assert isinstance(found, Reading)
    assert found.fields["AnnualRevenue"] in ("1234567.1", "1234567.10")


def test_the_observer_cannot_write(rig: SalesforceRig, sf: Connector) -> None:
    (id_, *_) = rig.create(1)
    (answer,) = sf.write(rig.object, [write(rig, id_, Site='"x"')])
    assert answer.verdict is Verdict.REFUSED
    assert not any(field.updateable for field in sf.schema(rig.object).fields.values())


def test_reads_in_the_largest_batch_cost_one_request(rig: SalesforceRig, sf: Connector) -> None:
    ids = rig.create(600)
    sf.schema(rig.object)
    sf.read(rig.object, ids[:1])  # meets the people
    before = sf.calls
    assert len(sf.read(rig.object, ids)) == 600
    assert sf.calls - before == 1


def test_an_object_nobody_knows_is_a_mistake(rig: SalesforceRig, sf: Connector) -> None:
    with pytest.raises((Mistake, PermissionMissing), match="has no object"):
        sf.schema("Unicorn__c")


def test_the_quota_is_told_on_every_answer(rig: SalesforceRig, sf: Connector) -> None:
    rig.act(do="quota", max=5000, used=4000)
    sf.schema(rig.object)
    assert sf.usage().limit == 5000
    assert 4000 <= (sf.usage().used or 0) <= 4001
