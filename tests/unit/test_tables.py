"""How answers look on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from crmtrail.cli.context import table
from crmtrail.cli.look import shown

RECORD = "sf:Contact:0035g00000AbCdEAAV"
WHEN = "2026-11-20 09:55:00Z"


def test_times_and_ids_stay_whole_and_values_fold():
    values = "abcdefghij" * 3
    made = table(
        "",
        ("when", "record", "field", "before", "after", "who", "what"),
        [(WHEN, RECORD, "Phone", values, values, "Marketing Sync", "update")],
    )
    out = io.StringIO()
    Console(file=out, width=80).print(made)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    (first,) = [number for number, line in enumerate(lines) if WHEN in line and RECORD in line]
    told = "".join(line[len(WHEN) + len(RECORD) + 2 :] for line in lines[first:]).replace(" ", "")
    assert sorted(told) == sorted(f"Phone{values}{values}MarketingSyncupdate"), "nothing is cut"


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("true", "true"),
        ("false", "false"),
        ("1.50", "1.50"),
        ('"yes"', "yes"),
        ("null", "(blank)"),
        ('""', "(blank)"),
        (None, "(not told)"),
    ],
)
def test_values_are_shown_as_the_crm_writes_them(token, text):
    assert shown(token) == text
