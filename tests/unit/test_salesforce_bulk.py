"""Results of Bulk queries become the texts that REST tells; jobs are waited for and survive."""

import json
from typing import Any

import pytest

from connectors.salesforce.bulk_csv import rows_of
from crmtrail.errors import Unavailable
from crmtrail.model import Field

FIELDS = {
    field.name: field
    for field in (
        Field("Name", vendor_type="string"),
        Field("Amount", vendor_type="currency"),
        Field("Active", vendor_type="boolean"),
        Field("Seen", vendor_type="datetime"),
        Field("Day", vendor_type="date"),
        Field("Tags", vendor_type="multipicklist"),
    )
}


def read(text: str, told: int | None = None) -> list[dict[str, Any]]:
    found = rows_of(text.encode(), FIELDS, told)
    return [{name: bytes(raw).decode() for name, raw in row.items()} for row in found]


def test_values_become_the_texts_of_rest() -> None:
    told = '"Name","Amount","Active","Seen","Day","Tags","IsDeleted"\n'
    told += '"Ada","1.10","true","2024-04-25T15:50:37.000Z","2024-04-25","a;b","false"\n'
    assert read(told, 1) == [
        {
            "Name": '"Ada"',
            "Amount": "1.10",
            "Active": "true",
            "Seen": '"2024-04-25T15:50:37.000+0000"',
            "Day": '"2024-04-25"',
            "Tags": '"a;b"',
            "IsDeleted": "false",
        }
    ]


@pytest.mark.parametrize(
    "value",
    [
        *("NA", "N/A", "null", "NULL", "#N/A", "a\nb", "a\r\nb", 'say "hi"', "a,b", "a\u2028b"),
        *("x\0y", "é", " padded ", "x" * 200_000),
    ],
)
def test_any_text_is_data(value: str) -> None:
    quoted = value.replace('"', '""')
    (row,) = read(f'"Name"\n"{quoted}"\n')
    assert json.loads(row["Name"]) == value


@pytest.mark.parametrize("number", ["0", "-0", "23.0", "123456789012345678.99", "1E7"])
def test_numbers_keep_their_text(number: str) -> None:
    assert read(f'"Amount"\n"{number}"\n') == [{"Amount": number}]


def test_empty_is_null_whatever_the_type() -> None:
    assert read('"Name","Amount","Active"\n"","",""\n') == [
        {"Name": "null", "Amount": "null", "Active": "null"}
    ]


def test_what_is_no_number_is_still_kept() -> None:
    assert read('"Amount"\n"12abc"\n') == [{"Amount": '"12abc"'}]


def test_a_page_without_rows_is_empty() -> None:
    assert read('"Name"\n', 0) == []
    assert read("") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [('"Name"\n"a"\n', 2), ('"Name","Day"\n"a"\n', None), ('"Name"\n"a"b"\n', None)],
    ids=["rows are missing", "a short row", "a stray quote"],
)
def test_what_cannot_be_believed_is_asked_for_again(text: str, told: int | None) -> None:
    with pytest.raises(Unavailable):
        read(text, told)
