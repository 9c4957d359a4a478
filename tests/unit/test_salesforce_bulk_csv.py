"""Bulk's CSV becomes the very JSON texts that REST tells."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.bulk_csv import rows_of
from connectors.salesforce.sheet import Sheet
from crmtrail.model import Field

FIELDS = {
    name: Field(name, vendor_type=kind)
    for name, kind in {
        "Id": "id",
        "Name": "string",
        "Amount": "currency",
        "Rate": "percent",
        "Size": "double",
        "Seats": "int",
        "Active": "boolean",
        "Moved": "datetime",
        "Day": "date",
        "Hour": "time",
        "Any": "anyType",
    }.items()
}


def told(body: str) -> list[dict[str, str]]:
    sheet = Sheet(iter([body.encode()]))
    records = list(iter(sheet.record, None))
    return [
        {name: bytes(cell).decode() for name, cell in row.items()}
        for row in rows_of(sheet.head, records, FIELDS)
    ]


def column(name: str, *values: str) -> list[str]:
    return [row[name] for row in told("\n".join((name, *values)))]


def test_each_type_is_spelled_as_rest_spells_it() -> None:
    head = "Id,Name,Amount,Rate,Size,Seats,Active,Moved,Day,Hour,Any,IsDeleted"
    line = (
        "001000000000001AAA,Acme,1.10,5.0,1.0E7,-0,true,2024-04-25T15:50:37.000Z,"
        "2024-04-25,11:59:59.000Z,42,false"
    )
    (row,) = told(f"{head}\n{line}\n")
    assert row == {
        "Id": '"001000000000001AAA"',
        "Name": '"Acme"',
        "Amount": "1.10",
        "Rate": "5.0",
        "Size": "1.0E7",
        "Seats": "-0",
        "Active": "true",
        "Moved": '"2024-04-25T15:50:37.000+0000"',
        "Day": '"2024-04-25"',
        "Hour": '"11:59:59.000Z"',
        "Any": '"42"',
        "IsDeleted": "false",
    }


@pytest.mark.parametrize("text", ["NA", "N/A", "null", "NULL", "#N/A", "nan", "None", "true", "0"])
def test_texts_that_look_like_nothing_stay_texts(text: str) -> None:
    assert column("Name", text) == [json.dumps(text)]


def test_only_an_empty_value_is_blank() -> None:
    assert told('Id,Name,Amount,Active,Moved\n1,"",,,\n') == [
        {"Id": '"1"', "Name": "null", "Amount": "null", "Active": "null", "Moved": "null"}
    ]


@pytest.mark.parametrize(
    "text",
    ["a,b", 'say "x"', "one\ntwo", "one\r\ntwo", "one\rtwo", "a\u2028b\u2029c\x85d", "x\x00y"],
)
def test_whatever_a_value_holds_it_ends_where_its_quote_does(text: str) -> None:
    quoted = text.replace('"', '""')
    body = f'Id,Name\n"1","{quoted}"\n"2","next"\n'
    assert [json.loads(row["Name"]) for row in told(body)] == [text, "next"]


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=20))
def test_every_text_comes_back(pairs: list[tuple[str, str]]) -> None:
    cells = [[f'"{part.replace(chr(34), chr(34) * 2)}"' for part in pair] for pair in pairs]
    body = "\n".join(["Id,Name", *(",".join(cell) for cell in cells)])
    found = [(json.loads(row["Id"]), json.loads(row["Name"]) or "") for row in told(body)]
    assert found == pairs


def test_a_number_that_json_cannot_spell_is_never_written_as_one() -> None:
    assert column("Size", ".5", "01", "+2", "NaN", "Infinity", "true", "[1]") == [
        "0.5",
        "1",
        "2",
        '"NaN"',
        '"Infinity"',
        '"true"',
        '"[1]"',
    ]


def test_eighteen_digits_keep_their_digits() -> None:
    digits = "123456789012345678.90"
    assert column("Amount", digits) == [digits]


def test_a_moment_without_milliseconds_gets_them_and_one_of_rest_stays() -> None:
    rest = '"2024-04-25T15:50:37.000+0000"'
    assert column("Moved", "2024-04-25T15:50:37Z", "2024-04-25T15:50:37.000+0000") == [rest, rest]


def test_a_flag_that_is_none_is_not_taken_for_false() -> None:
    assert column("Active", "TRUE", "False", "yes") == ["true", "false", '"yes"']


def test_columns_are_named_as_the_describe_names_them() -> None:
    assert told("ID,name,ISDELETED,Other.Name\n1,x,true,y\n") == [
        {"Id": '"1"', "Name": '"x"', "IsDeleted": "true", "Other.Name": '"y"'}
    ]


@pytest.mark.parametrize("body", ["", "Id,Name\n", "Id,Name"])
def test_no_rows_are_no_rows(body: str) -> None:
    assert told(body) == []


def test_a_long_text_is_longer_than_the_readers_own_limit() -> None:
    long = "x" * 200_000
    assert column("Name", long) == [json.dumps(long)]
