"""Cells of an export: what a token becomes, and which texts get a guard."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmtrail.model import Field, FieldType, token_of
from crmtrail.reports.cells import Number, cell_of, guarded
from crmtrail.reports.kinds import Kind
from crmtrail.reports.workbook import exactly
from support.formulas import FORMULAS, HARMLESS, STARTERS

AMOUNT = Field("amount", FieldType.NUMBER)
FLAG = Field("flag", FieldType.BOOLEAN)
NOTE = Field("note", FieldType.TEXT)


@pytest.mark.parametrize(
    ("token", "field", "cell"),
    [
        (None, None, None),
        ("null", NOTE, None),
        ("true", None, True),
        ("1.10", None, Number("1.10")),
        ("-0", None, Number("-0")),
        ("123456789012345678.90", NOTE, Number("123456789012345678.90")),
        ('"-5"', AMOUNT, Number("-5")),
        ('"-5"', NOTE, "-5"),
        ('"007"', AMOUNT, "007"),
        ('"+5"', AMOUNT, "+5"),
        ('"=5"', AMOUNT, "=5"),
        ('"٣"', AMOUNT, "٣"),
        ('"false"', FLAG, False),
        ('"false"', NOTE, "false"),
        ('""', NOTE, ""),
        ('{"a":[1.10]}', None, '{"a":[1.10]}'),
        ("[" * 5000, None, "[" * 5000),
        (r'"\u00e9\ud83d\ude00"', None, "é\U0001f600"),
        (r'"a\ud800b"', None, "a\ufffdb"),
    ],
)
def test_a_token_becomes_a_cell(token, field, cell):
    found = cell_of(token, field)
    assert (type(found), found) == (type(cell), cell)


@pytest.mark.parametrize("text", [text for text in FORMULAS if not text.startswith("{")])
def test_what_could_be_a_formula_gets_a_guard(text):
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_cannot_stays_as_it_is(text):
    assert guarded(text) == text


@given(st.text())
def test_no_text_starts_like_a_formula_and_the_text_is_still_there(text):
    shown = guarded(text)
    assert shown[:1] not in STARTERS
    assert shown.lstrip()[:1] not in STARTERS
    assert shown.removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("0", 0.0),
        ("-0.000", 0.0),
        ("1.10", 1.1),
        ("-12345.6789", -12345.6789),
        ("999999999999999", 999999999999999.0),
        ("1e20", 1e20),
        ("9007199254740993", None),
        ("123456789012345678.90", None),
        ("1.000000000000000000000000000000001", None),
        ("1e400", None),
        ("1e-400", None),
    ],
)
def test_excel_gets_a_number_only_where_it_keeps_every_digit(number, kept):
    assert exactly(number) == kept


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9)))
def test_a_number_that_excel_gets_is_the_number_itself(value):
    kept = exactly(str(value))
    assert kept is None or Decimal(repr(kept)) == value


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        ([], "text"),
        (["null"], "text"),
        (["true", "null", "false"], "truth"),
        (["1", "-20"], "whole"),
        (["9223372036854775807", "-9223372036854775808"], "whole"),
        (["9223372036854775808"], "decimal:19:0"),
        (["1.10", "null", "20"], "decimal:4:2"),
        (["123456789012345678.90", "0.001"], "decimal:21:3"),
        (["1e2"], "decimal:3:0"),
        (["0.0"], "decimal:1:1"),
        (["1e400"], "text"),
        (["1", "1e-40"], "text"),
        (["1", "true"], "text"),
        (["1", '"x"'], "text"),
    ],
)
def test_a_column_gets_the_narrowest_kind_that_loses_nothing(tokens, kind):
    found = Kind()
    for token in tokens:
        found.see(cell_of(token))
    assert str(found) == kind


def test_tokens_of_plain_values_come_back():
    assert cell_of(token_of("=1+1")) == "=1+1"
    assert cell_of(token_of(Decimal("1.10"))) == Number("1.10")
