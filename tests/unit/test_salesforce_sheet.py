"""Log files read piece by piece: every record once, from any place, in constant memory."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce import sheet as sheets
from connectors.salesforce.sheet import Sheet, Unreadable

BODY = (
    b'"EVENT_TYPE","URI"\n"URI","/a"\n"URI","say ""x"", one\ntwo"\r\n"URI","NA"\n\n"URI","\xc3\xa9"'
)
RECORDS = [["URI", "/a"], ["URI", 'say "x", one\ntwo'], ["URI", "NA"], ["URI", "é"]]


def pieces(body, size):
    return iter([body[start : start + size] for start in range(0, len(body), size)])


def records(sheet):
    found = []
    while (values := sheet.record()) is not None:
        found.append(values)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_records_do_not_depend_on_how_the_body_is_cut(size):
    sheet = Sheet(pieces(BODY, size))
    assert sheet.head == ("EVENT_TYPE", "URI")
    assert records(sheet) == RECORDS
    assert sheet.place == len(BODY)


def test_reading_goes_on_from_every_place_where_a_reader_stood():
    sheet = Sheet(pieces(BODY, 5))
    places = [sheet.place]
    while sheet.record() is not None:
        places.append(sheet.place)
    for number, place in enumerate(places):
        again = Sheet(pieces(BODY, 11), place)
        assert records(again) == RECORDS[number:]


TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=20)


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=30), st.integers(1, 50))
def test_whatever_a_value_holds_it_comes_back(rows, size):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["A", "B"], *rows])
    sheet = Sheet(pieces(out.getvalue().encode(), size))
    assert records(sheet) == rows


def test_a_byte_order_mark_is_no_part_of_a_name_and_broken_bytes_do_no_harm():
    sheet = Sheet(iter([b"\xef\xbb\xbfA,B\n1,\xff\n"]))
    assert sheet.head == ("A", "B")
    assert records(sheet) == [["1", "\ufffd"]]


def test_a_name_holds_nothing_that_no_name_can_have():
    assert Sheet(iter([b"A\x00,B\x1f\n"])).head == ("A\ufffd", "B\ufffd")


@pytest.mark.parametrize("body", [b"A,A\n1,2\n", b'"A,B\n'])
def test_a_file_without_a_sound_head_cannot_be_read(body):
    with pytest.raises(Unreadable):
        Sheet(iter([body]))


@pytest.mark.parametrize("body", [b"", b"\n"])
def test_where_there_is_no_text_there_are_no_columns_and_no_records(body):
    sheet = Sheet(iter([body]))
    assert (sheet.head, sheet.record()) == ((), None)


def test_what_comes_before_a_broken_record_is_told():
    sheet = Sheet(iter([b'A,B\n1,2\n3,"4"5\n6,7\n']))
    assert sheet.record() == ["1", "2"]
    with pytest.raises(Unreadable):
        sheet.record()


def test_a_file_that_ends_before_the_place_is_not_the_same_file():
    sheet = Sheet(iter([b"A,B\n1,2\n"]), place=500)
    with pytest.raises(Unreadable, match="before the place"):
        sheet.record()


def test_a_line_without_an_end_does_not_fill_the_memory():
    endless = (b"x" * (1 << 20) for _ in range(1 << 20))
    with pytest.raises(Unreadable, match="longer than"):
        Sheet(endless)
    assert next(endless)
    assert sheets.LONGEST < 1 << 28


def test_a_large_file_takes_no_more_memory_than_a_small_one():
    line = b'"' + b"v" * 500 + b'","w"\n'
    block = line * 100

    def peak(blocks):
        tracemalloc.start()
        sheet = Sheet(iter([b"A,B\n", *[block] * blocks]))
        count = 0
        while sheet.record() is not None:
            count += 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == blocks * 100
        return most

    assert peak(200) < peak(10) + 200_000
