"""The part of the connector contract about reading: loading, polling, resuming, deletions."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from crmtrail.errors import CrmtrailError
from crmtrail.model import NULL, Loss, Mode, Reading, Removal, value_of
from crmtrail.ports import Connector
from support.connector_rig import Rig, crash_driven, drive


def refused(rig: Rig, call: Callable[[], object], kind: type[CrmtrailError]) -> CrmtrailError:
    """Return the error of a call, after checking that it gives no secret away."""
    with pytest.raises(kind) as caught:
        call()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    assert not [secret for secret in rig.secrets if secret in told]
    assert "\n" not in str(caught.value)
    return caught.value


class Connected:
    """Fixtures that every part of the suite uses."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        raise NotImplementedError("a connector's test class provides its rig")

    @pytest.fixture
    def connector(self, rig: Rig) -> Iterator[Connector]:
        with closing(rig.connect()) as connector:
            yield connector

    @pytest.fixture
    def restorer(self, rig: Rig) -> Iterator[Connector]:
        with closing(rig.connect_restorer()) as connector:
            yield connector


class Identifying(Connected):
    """Who we are, what there is."""

    def test_knows_the_account_and_the_objects(self, rig: Rig, connector: Connector) -> None:
        assert connector.identity().account
        assert rig.object in connector.objects()
        assert connector.source == rig.source

    def test_describes_fields(self, rig: Rig, restorer: Connector) -> None:
        # What may be written depends on who asks.
        schema = restorer.schema(rig.object)
        assert (schema.source, schema.object) == (rig.source, rig.object)
        assert schema.fields[rig.text_field].updateable
        assert schema.fields[rig.choice_field].options
        assert rig.bad_choice not in schema.fields[rig.choice_field].options
        assert not schema.fields[rig.locked_field].updateable
        assert {name: field.name for name, field in schema.fields.items()} == {
            name: name for name in schema.fields
        }

    def test_counts_its_requests_honestly(self, rig: Rig, connector: Connector) -> None:
        before = rig.requests()
        connector.schema(rig.object)
        drive(rig, connector)
        assert connector.calls == rig.requests() - before > 0

    def test_start_and_usage_send_nothing(self, rig: Rig, connector: Connector) -> None:
        before = rig.requests()
        cursor = connector.start(rig.object, None, Mode.INCREMENTAL)
        connector.start(rig.object, cursor, Mode.RECONCILE)
        connector.usage()
        assert rig.requests() == before


class Loading(Connected):
    """The first load."""

    def test_returns_every_live_record_once_and_ends(self, rig: Rig, connector: Connector) -> None:
        rig.create(rig.many)
        run = drive(rig, connector)
        assert sorted(run.ids()) == sorted(rig.truth())
        assert [page.done for page in run.pages[:-1]] == [False] * (len(run.pages) - 1)
        assert run.pages[-1].watermark is not None
        assert run.pages[-1].complete_to is not None
        assert not run.gaps

    def test_tokens_are_exact(self, rig: Rig, connector: Connector) -> None:
        (id_, *_) = rig.create(1)
        odd = 'Zoë "Ω" \\ / 1.10 🙂 and\ta tab'
        rig.update([id_], {rig.text_field: odd, rig.other_field: "001.10"})
        run = drive(rig, connector)
        assert value_of(run.reading(id_).fields[rig.text_field]) == odd
        assert run.reading(id_).fields[rig.other_field] == '"001.10"'
        for record, truth in rig.truth().items():
            fields = run.reading(record).fields
            assert {name: fields[name] for name in truth} == truth

    def test_expects_as_many_as_there_are(self, rig: Rig, connector: Connector) -> None:
        run = drive(rig, connector)
        told = {page.expected for page in run.pages if page.expected is not None}
        assert told == {len(rig.truth())}

    def test_stamps_are_ordered(self, rig: Rig, connector: Connector) -> None:
        for one in drive(rig, connector).readings:
            assert one.edited_at <= one.modified_at <= one.read_at
            assert one.created_at is not None
            assert one.created_at <= one.modified_at

    def test_a_full_load_begins_again(self, rig: Rig, connector: Connector) -> None:
        position = drive(rig, connector).position
        assert sorted(drive(rig, connector, position, Mode.FULL).ids()) == sorted(rig.truth())

    def test_reconciling_shows_every_record(self, rig: Rig, connector: Connector) -> None:
        position = drive(rig, connector).position
        rig.update(list(rig.truth())[:2], {rig.text_field: "changed meanwhile"})
        run = drive(rig, connector, position, Mode.RECONCILE)
        assert run.seen() == set(rig.truth())
        assert {page.expected for page in run.pages} - {None} == {len(rig.truth())}


class Polling(Connected):
    """What changed since."""

    def test_sees_exactly_what_changed_and_who_did_it(self, rig: Rig, connector: Connector) -> None:
        ids = list(rig.truth())
        rig.turn(3600)
        position = drive(rig, connector).position
        rig.turn(3600)
        rig.update(ids[:3], {rig.text_field: "by a person"})
        rig.update(ids[3:5], {rig.text_field: "by an app"}, by=rig.app)
        run = drive(rig, connector, position)
        assert sorted(run.ids()) == sorted(ids[:5])
        for id_ in ids[:3]:
            assert run.reading(id_).fields[rig.text_field] == '"by a person"'
            assert (run.reading(id_).actor.id, run.reading(id_).actor.name) == (
                rig.user.id,
                rig.user.name,
            )
        for id_ in ids[3:5]:
            assert (run.reading(id_).actor.id, run.reading(id_).actor.name) == (
                rig.app.id,
                rig.app.name,
            )

    def test_a_change_a_moment_ago_is_seen(self, rig: Rig, connector: Connector) -> None:
        position = drive(rig, connector).position
        for round_ in range(3):
            (id_, *_) = rig.truth()
            rig.update([id_], {rig.text_field: f"round {round_}"})
            run = drive(rig, connector, position)
            assert run.reading(id_).fields[rig.text_field] == f'"round {round_}"'
            position = run.position

    def test_a_quiet_poll_costs_little(self, rig: Rig, connector: Connector) -> None:
        connector.schema(rig.object)
        position = drive(rig, connector).position
        rig.update(list(rig.truth())[:3], {rig.text_field: "last change"})
        position = drive(rig, connector, position).position
        rig.turn(7200)
        # The first poll may still read back over its overlap; from the second on, it is quiet.
        position = drive(rig, connector, position).position
        before = connector.calls
        run = drive(rig, connector, position)
        assert run.ids() == []
        assert connector.calls - before <= rig.quiet_calls

    def test_the_watermark_never_moves_back(self, rig: Rig, connector: Connector) -> None:
        marks = []
        position = None
        for _ in range(3):
            run = drive(rig, connector, position)
            position = run.position
            marks.append(run.pages[-1].watermark)
            rig.turn(30)
        assert None not in marks
        assert marks == sorted(mark for mark in marks if mark is not None)

    def test_created_records_are_seen(self, rig: Rig, connector: Connector) -> None:
        position = drive(rig, connector).position
        made = rig.create(3)
        run = drive(rig, connector, position)
        assert set(made) <= set(run.ids())
        assert run.reading(made[0]).created_at is not None

    def test_many_records_with_one_stamp_are_all_seen(self, rig: Rig, connector: Connector) -> None:
        made = rig.create(rig.many)
        rig.turn(3600)
        position = drive(rig, connector).position
        rig.turn(3600)
        with rig.one_moment():
            rig.update(made, {rig.text_field: "all at once"})
        run = drive(rig, connector, position)
        assert set(run.ids()) == set(made)
        assert {run.reading(id_).fields[rig.text_field] for id_ in made} == {'"all at once"'}

    def test_an_emptied_field_is_blank_and_a_hidden_one_is_absent(
        self, rig: Rig, connector: Connector
    ) -> None:
        (id_, *_) = rig.create(1)
        rig.update([id_], {rig.text_field: "kept", rig.other_field: "cleared soon"})
        position = drive(rig, connector).position
        rig.update([id_], {rig.other_field: None})
        run = drive(rig, connector, position)
        assert run.reading(id_).fields[rig.other_field] == NULL
        rig.hide(rig.text_field)
        connector.schema(rig.object)
        rig.update([id_], {rig.other_field: "again"})
        run = drive(rig, connector, run.position)
        assert rig.text_field not in run.reading(id_).fields
        assert run.reading(id_).fields[rig.other_field] == '"again"'

    def test_values_that_came_and_went_are_told(self, rig: Rig, connector: Connector) -> None:
        if not rig.keeps_history:
            pytest.skip("this vendor's pages carry no history")
        (id_, *_) = rig.create(1)
        position = drive(rig, connector).position
        rig.update([id_], {rig.text_field: "for a moment"}, by=rig.app)
        rig.turn(1)
        rig.update([id_], {rig.text_field: None})
        reading = drive(rig, connector, position).reading(id_)
        told = [one for one in reading.trail if one.field == rig.text_field]
        told.sort(key=lambda event: event.at)
        assert [(one.token, one.actor.id) for one in told[-2:]] == [
            ('"for a moment"', rig.app.id),
            (NULL, rig.user.id),
        ]


class Resuming(Connected):
    """A crash after any page."""

    @pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.FULL])
    def test_a_first_load_loses_and_repeats_nothing(self, rig: Rig, mode: Mode) -> None:
        rig.create(rig.many)
        run = crash_driven(rig, None, mode)
        assert sorted(run.ids()) == sorted(rig.truth())

    def test_a_poll_loses_and_repeats_nothing(self, rig: Rig, connector: Connector) -> None:
        made = rig.create(rig.many)
        rig.turn(3600)
        position = drive(rig, connector).position
        rig.turn(3600)
        rig.update(made, {rig.text_field: "one by one"})
        rig.delete(made[:2])
        run = crash_driven(rig, position)
        assert sorted(set(run.ids())) == sorted(made[2:])
        assert len(run.ids()) == len(set(run.ids()))
        assert {one.ref.id for one in run.removals} >= set(made[:2])

    def test_a_page_can_be_asked_for_again(self, rig: Rig, connector: Connector) -> None:
        cursor = connector.start(rig.object, None, Mode.INCREMENTAL)
        for _ in range(3):
            page = connector.page(rig.object, cursor)
            again = connector.page(rig.object, cursor)
            assert [one.ref for one in again.readings] == [one.ref for one in page.readings]
            if page.done:
                break
            cursor = page.cursor


class Losing(Connected):
    """Deletions."""

    def test_deletions_are_seen_with_their_stamp(self, rig: Rig, connector: Connector) -> None:
        made = rig.create(3)
        position = drive(rig, connector).position
        rig.turn(60)
        rig.delete(made[:2])
        run = drive(rig, connector, position)
        told = {one.ref.id: one for one in run.removals}
        assert set(told) == set(made[:2])
        for one in told.values():
            assert one.loss is Loss.DELETED
            assert one.at is not None
            assert timedelta() <= one.read_at - one.at < timedelta(minutes=1)
            assert one.actor.id == rig.user.id if rig.names_deleter else one.actor.why
        live = {one.ref.id for one in run.readings if not one.deleted}
        assert not live & set(made[:2])

    def test_a_restored_record_is_seen_again(self, rig: Rig, connector: Connector) -> None:
        (id_, *_) = made = rig.create(2)
        position = drive(rig, connector).position
        rig.delete(made)
        position = drive(rig, connector, position).position
        rig.turn(120)
        rig.restore([id_])
        run = drive(rig, connector, position)
        assert not run.reading(id_).deleted
        assert id_ not in {one.ref.id for one in run.removals}

    def test_reading_by_id_tells_live_deleted_and_unknown_apart(
        self, rig: Rig, connector: Connector
    ) -> None:
        live, dead = rig.create(2)
        rig.update([live], {rig.text_field: "here"})
        rig.delete([dead])
        found = connector.read(rig.object, [live, dead, rig.unknown_id])
        assert set(found) == {live, dead}
        here, lost = found[live], found[dead]
        assert isinstance(here, Reading)
        assert here.fields[rig.text_field] == '"here"'
        assert isinstance(lost, Removal)
        assert lost.loss is Loss.DELETED
        assert connector.read(rig.object, []) == {}
