import pytest

from crmtrail.config import BlankingConfig
from crmtrail.detection.emptiness import blanks, emptiness
from crmtrail.model import Change, Field, FieldType

SENTINELS = BlankingConfig().sentinels


@pytest.mark.parametrize(
    ("token", "kind", "expected"),
    [
        ("null", FieldType.TEXT, "null"),
        ('""', FieldType.TEXT, "empty"),
        ('"   "', FieldType.TEXT, "whitespace"),
        ('"\\u00a0\\n"', FieldType.TEXT, "whitespace"),
        ('"N/A"', FieldType.TEXT, "sentinel"),
        ('" Unknown "', FieldType.TEXT, "sentinel"),
        ('"test@test.com"', FieldType.EMAIL, "sentinel"),
        ('"1970-01-01"', FieldType.DATE, "epoch"),
        ('"1970-01-01T00:00:00.000Z"', FieldType.DATETIME, "epoch"),
        ('"1970-01-01"', FieldType.TEXT, None),
        ("0", FieldType.MONEY, "zero"),
        ("0.00", FieldType.MONEY, "zero"),
        ('"0"', FieldType.MONEY, "zero"),
        ("0", FieldType.NUMBER, None),
        ('"0"', FieldType.TEXT, None),
        ("false", FieldType.BOOLEAN, None),
        ('"Nathalie"', FieldType.TEXT, None),
        ('"an unknown visitor told us so"', FieldType.TEXT, None),
        (None, FieldType.TEXT, None),
    ],
)
def test_what_counts_as_nothing(token, kind, expected):
    assert emptiness(token, Field("f", kind), SENTINELS) == expected


def test_a_long_run_of_spaces_is_nothing():
    assert emptiness('"' + " " * 500 + '"', None, SENTINELS) == "whitespace"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"555"', "null", True),
        ('""', "null", False),
        ("null", '"N/A"', False),
        (None, "null", False),
        ('"555"', '"556"', False),
        ('"555"', None, False),
    ],
)
def test_only_something_turned_into_nothing_is_a_blanking(old, new, expected):
    assert blanks(Change("Phone", old, new), Field("Phone"), SENTINELS) is expected
