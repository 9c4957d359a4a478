"""What a checkpoint in the CRM promises: nothing of anybody's is written over."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from crmtrail.clock import SystemClock
from crmtrail.errors import AnchorFailed, Unavailable
from crmtrail.model import token_of, value_of
from snapshot.anchors.crm import CrmSink
from snapshot.anchors.saved import line_of
from snapshot.anchors.sink import Means
from snapshot.signing import SigningKey
from support.places import MINE, SHORT, Opening, a_crm, note
from support.restoring import ADA


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_the_field_holds_one_line_that_says_all(tmp_path, stack):
    place, crm = a_crm(tmp_path, stack)
    place.sink.send(note(5), MINE)
    line = value_of(crm.things["001A"].fields["Proof__c"])
    assert line == line_of(note(5))
    assert line.isascii()
    assert len(line) <= SHORT
    place.sink.send(note(5), MINE)
    assert len(crm.written) == 1


def test_a_second_signature_is_left_out_where_the_field_is_short(tmp_path, stack):
    both = note(10**6, MINE, SigningKey(MINE, bytes([1] * 32)))
    place, _ = a_crm(tmp_path, stack)
    place.sink.send(both, MINE)
    assert place.sink.newest(MINE) == note(10**6)
    (tmp_path / "long").mkdir()
    place, _ = a_crm(tmp_path / "long", stack, length=32_000)
    place.sink.send(both, MINE)
    assert place.sink.newest(MINE) == both


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"value": token_of("the customer prefers mornings")}, "left alone"),
        ({"length": 80}, "takes 161 characters, and 80 are there"),
        ({"updateable": False}, "cannot be written"),
        ({"computed": True}, "cannot be written"),
    ],
)
def test_a_field_that_does_not_fit_is_left_as_it_is(tmp_path, stack, more, words):
    place, crm = a_crm(tmp_path, stack, **more)
    with pytest.raises(AnchorFailed, match=words):
        place.sink.send(note(5), MINE)
    assert crm.written == []


def test_a_record_or_a_field_that_is_not_there_is_told(tmp_path, stack):
    place, crm = a_crm(tmp_path, stack)
    for more, words in (
        ({"record": "sf:Account:001B"}, "there is no record"),
        ({"field": "Other__c"}, "has no field Other__c"),
    ):
        sink = CrmSink(place.settings.model_copy(update=more), place.means)
        with pytest.raises(AnchorFailed, match=words):
            sink.send(note(5), MINE)
    crm.delete("001A", ADA)
    with pytest.raises(AnchorFailed, match="it is deleted"):
        place.sink.send(note(5), MINE)


def test_a_write_that_was_dropped_is_noticed(tmp_path, stack):
    place, crm = a_crm(tmp_path, stack)
    crm.unkept = {"001A"}
    with pytest.raises(AnchorFailed, match="reads otherwise afterwards"):
        place.sink.send(note(5), MINE)


def test_a_stranger_s_account_is_not_written_to(tmp_path, stack):
    place, ours = a_crm(tmp_path, stack)
    _, strange = a_crm(tmp_path, stack)
    strange.account = "org-2"
    means = Means(SystemClock(), Opening(ours, strange))
    with pytest.raises(AnchorFailed, match="different accounts"):
        CrmSink(place.settings, means).send(note(5), MINE)
    assert strange.written == []


def test_a_crm_that_does_not_answer_is_a_failed_anchor(tmp_path, stack):
    place, _ = a_crm(tmp_path, stack)

    def unavailable(source, *, restoring=False):
        raise Unavailable("sf does not answer", hint="later")

    with pytest.raises(AnchorFailed, match="sf does not answer"):
        CrmSink(place.settings, Means(SystemClock(), unavailable)).newest(MINE)
