"""The part of the connector contract about writing and about a vendor in trouble."""

import pytest

from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    Throttled,
    Unavailable,
)
from crmtrail.model import NULL, Mode, Reading, Ref, Verdict, Write, token_of
from crmtrail.ports import Connector
from support.connector_reads import Connected, refused
from support.connector_rig import Fault, Rig, drive


class Writing(Connected):
    """Putting values back."""

    def test_changes_exactly_the_given_fields(self, rig: Rig, restorer: Connector) -> None:
        ids = rig.create(3)
        rig.update(ids, {rig.text_field: "bad", rig.other_field: "stays"})
        before = rig.truth()
        writes = [
            _write(rig, ids[0], "k0", {rig.text_field: '"good"'}),
            _write(rig, ids[1], "k1", {rig.text_field: NULL}),
        ]
        answers = restorer.write(rig.object, writes)
        assert [(one.key, one.verdict) for one in answers] == [
            ("k0", Verdict.ACCEPTED),
            ("k1", Verdict.ACCEPTED),
        ]
        after = rig.truth()
        assert after[ids[0]][rig.text_field] == '"good"'
        assert after[ids[1]][rig.text_field] == NULL
        assert [after[id_][rig.other_field] for id_ in ids] == ['"stays"'] * 3
        untouched = {id_: fields for id_, fields in before.items() if id_ not in ids[:2]}
        assert {id_: after[id_] for id_ in untouched} == untouched

    def test_a_whole_batch_is_answered_by_key(self, rig: Rig, restorer: Connector) -> None:
        ids = rig.create(restorer.write_batch)
        writes = [
            _write(rig, id_, f"key-{id_}", {rig.text_field: token_of(f"value {id_}")})
            for id_ in ids
        ]
        answers = restorer.write(rig.object, writes)
        assert [one.key for one in answers] == [one.key for one in writes]
        assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
        truth = rig.truth()
        assert all(truth[id_][rig.text_field] == f'"value {id_}"' for id_ in ids)

    def test_refused_rows_are_isolated_and_explained(self, rig: Rig, restorer: Connector) -> None:
        ids = rig.create(9)
        bad = {2: {rig.choice_field: token_of(rig.bad_choice)}, 6: {rig.locked_field: '"1"'}}
        writes = [
            _write(rig, id_, f"k{index}", bad.get(index, {rig.text_field: '"good"'}))
            for index, id_ in enumerate(ids)
        ]
        answers = {one.key: one for one in restorer.write(rig.object, writes)}
        for index in range(9):
            expected = Verdict.REFUSED if index in bad else Verdict.ACCEPTED
            assert answers[f"k{index}"].verdict is expected, index
        for index, fields in bad.items():
            answer = answers[f"k{index}"]
            assert answer.message
            assert answer.hint
            assert next(iter(fields)) in f"{answer.message} {answer.hint}"

    def test_a_deleted_record_is_refused_not_created(self, rig: Rig, restorer: Connector) -> None:
        live, dead = rig.create(2)
        rig.delete([dead])
        count = len(rig.truth())
        answers = restorer.write(
            rig.object,
            [_write(rig, id_, id_, {rig.text_field: '"good"'}) for id_ in (live, dead)],
        )
        assert [one.verdict for one in answers] == [Verdict.ACCEPTED, Verdict.REFUSED]
        assert len(rig.truth()) == count

    @pytest.mark.parametrize(
        ("kind", "landed"), [("reset_before", False), ("reset_after", True), ("unavailable", False)]
    )
    def test_a_broken_write_is_ambiguous_and_a_read_tells(
        self, rig: Rig, restorer: Connector, kind: Fault, landed: bool
    ) -> None:
        (id_, *_) = rig.create(1)
        rig.update([id_], {rig.text_field: "bad"})
        restorer.schema(rig.object)
        writes = [_write(rig, id_, "k", {rig.text_field: '"good"'})]
        rig.fault(kind, writes=True)
        refused(rig, lambda: restorer.write(rig.object, writes), Ambiguous)
        found = restorer.read(rig.object, [id_])[id_]
        assert isinstance(found, Reading)
        assert found.fields[rig.text_field] == ('"good"' if landed else '"bad"')

    def test_a_throttled_write_was_not_sent(self, rig: Rig, restorer: Connector) -> None:
        (id_, *_) = rig.create(1)
        restorer.schema(rig.object)
        before = rig.truth()[id_]
        writes = [_write(rig, id_, "k", {rig.text_field: '"good"'})]
        rig.fault("throttle", writes=True, retry_after=3)
        error = refused(rig, lambda: restorer.write(rig.object, writes), Throttled)
        assert isinstance(error, Throttled)
        assert error.after == 3
        assert rig.truth()[id_] == before
        assert restorer.write(rig.object, writes)[0].verdict is Verdict.ACCEPTED


class Failing(Connected):
    """A vendor that refuses, throttles or breaks."""

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("unauthorized", CredentialsRefused),
            ("quota", BudgetSpent),
            ("unavailable", Unavailable),
            ("reset_before", Unavailable),
            ("reset_after", Unavailable),
        ],
    )
    def test_reads_raise_what_to_do_next(
        self, rig: Rig, connector: Connector, kind: Fault, error: type[CrmtrailError]
    ) -> None:
        connector.schema(rig.object)
        cursor = connector.start(rig.object, None, Mode.INCREMENTAL)
        # A connector may log in again once, or try a fresh connection, before it gives up.
        rig.fault(kind, times=5)
        refused(rig, lambda: connector.page(rig.object, cursor), error)

    @pytest.mark.parametrize("retry_after", [7, None])
    def test_a_pause_is_told_in_seconds(
        self, rig: Rig, connector: Connector, retry_after: int | None
    ) -> None:
        connector.schema(rig.object)
        cursor = connector.start(rig.object, None, Mode.INCREMENTAL)
        rig.fault("throttle", retry_after=retry_after)
        error = refused(rig, lambda: connector.page(rig.object, cursor), Throttled)
        assert isinstance(error, Throttled)
        assert error.after == 7 if retry_after else (error.after is None or error.after > 0)

    def test_a_run_goes_on_after_trouble(self, rig: Rig, connector: Connector) -> None:
        connector.schema(rig.object)
        cursor = connector.start(rig.object, None, Mode.INCREMENTAL)
        first = connector.page(rig.object, cursor)
        rig.fault("unavailable", times=5)
        refused(rig, lambda: connector.page(rig.object, first.cursor), Unavailable)
        rig.calm()
        run = drive(rig, connector, first.cursor)
        ids = [one.ref.id for one in first.readings] + run.ids()
        assert sorted(ids) == sorted(rig.truth())


def _write(rig: Rig, id_: str, key: str, fields: dict[str, str]) -> Write:
    return Write(Ref(rig.source, rig.object, id_), fields, key)
