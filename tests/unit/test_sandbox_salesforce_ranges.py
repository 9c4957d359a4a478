from datetime import date

import pytest

from crmtrail.sandbox.salesforce.ranges import stretch

WEDNESDAY = date(2026, 3, 18)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("TODAY", date(2026, 3, 18), date(2026, 3, 19)),
        ("yesterday", date(2026, 3, 17), date(2026, 3, 18)),
        ("LAST_N_DAYS:3", date(2026, 3, 15), date(2026, 3, 19)),
        ("NEXT_N_DAYS:3", date(2026, 3, 19), date(2026, 3, 22)),
        ("THIS_WEEK", date(2026, 3, 15), date(2026, 3, 22)),
        ("LAST_WEEK", date(2026, 3, 8), date(2026, 3, 15)),
        ("LAST_MONTH", date(2026, 2, 1), date(2026, 3, 1)),
        ("LAST_N_MONTHS:2", date(2026, 1, 1), date(2026, 3, 1)),
        ("THIS_QUARTER", date(2026, 1, 1), date(2026, 4, 1)),
        ("LAST_YEAR", date(2025, 1, 1), date(2026, 1, 1)),
        ("LAST_90_DAYS", date(2025, 12, 18), date(2026, 3, 19)),
    ],
)
def test_named_stretches(text, first, after):
    assert stretch(text, WEDNESDAY) == (first, after)


@pytest.mark.parametrize("text", ["SOMEDAY", "LAST_FORTNIGHT", "LAST_N_MOONS:2", "THIS_N_DAYS:2"])
def test_unknown_names(text):
    assert stretch(text, WEDNESDAY) is None
