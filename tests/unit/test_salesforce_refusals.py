"""Plain words for every code that Salesforce is known to refuse with; CSV cells; un-merging."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.ingest_csv import CLEARED, cell, records, tables
from connectors.salesforce.merging import Child, unmerge
from connectors.salesforce.recreating_fields import FieldFlags, remake
from connectors.salesforce.refusals import HINTS, SOMETHING_ELSE, hint
from crmtrail.errors import Mistake
from crmtrail.model import NULL, Ref, token_of

_SHEET = """
ALL_OR_NONE_OPERATION_ROLLED_BACK CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY DUPLICATES_DETECTED
ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE ENTITY_IS_DELETED ENTITY_IS_LOCKED EXCEEDED_ID_LIMIT
FIELD_CUSTOM_VALIDATION_EXCEPTION INACTIVE_OWNER_OR_USER INSUFFICIENT_ACCESS
INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY INSUFFICIENT_ACCESS_OR_READONLY INVALIDENTITY
INVALID_CROSS_REFERENCE_KEY INVALID_EMAIL_ADDRESS INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE
INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_QUERY_LOCATOR INVALID_REPLICATION_DATE
INVALID_SESSION_ID INVALID_TYPE InvalidSessionId InvalidVersion LOGIN_OAUTH_INVALID_TOKEN
MALFORMED_ID MALFORMED_QUERY NOT_FOUND NUMBER_OUTSIDE_VALID_RANGE OP_WITH_INVALID_USER_TYPE
PRECONDITION_FAILED QUERY_TIMEOUT QUERY_TOO_COMPLICATED REQUEST_LIMIT_EXCEEDED
REQUEST_RUNNING_TOO_LONG REQUIRED_FIELD_MISSING SERVER_UNAVAILABLE STRING_TOO_LONG
TXN_SECURITY_METERING_ERROR UNABLE_TO_LOCK_ROW UNDELETE_FAILED UNSUPPORTED_API_VERSION
"""
CODES = _SHEET.split()


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_facts_has_words_of_its_own(code: str) -> None:
    assert hint(code) != SOMETHING_ELSE
    assert 10 < len(HINTS[code]) < 120


@pytest.mark.parametrize(
    ("token", "kind", "told"),
    [
        (NULL, "string", CLEARED),
        ('""', "string", CLEARED),
        ('"NA"', "string", "NA"),
        ('"null"', "string", "null"),
        ("true", "boolean", "true"),
        ("123456789012345678.10", "currency", "123456789012345678.10"),
        ("1.5E7", "double", "15000000"),
        ("1E400", "double", None),
        ('"2022-03-17T16:21:26.000+0000"', "datetime", "2022-03-17T16:21:26.000Z"),
        ('"2022-03-17T18:21:26.5+02:00"', "datetime", "2022-03-17T16:21:26.500Z"),
        ('"soon"', "datetime", None),
        ('"2022-03-17"', "date", "2022-03-17"),
        ('"11:59:59.000Z"', "time", "11:59:59.000Z"),
        ('"four;six"', "multipicklist", "four;six"),
        ('"#N/A"', "string", None),
        ('["a"]', "string", None),
    ],
)
def test_values_as_the_bulk_api_takes_them(token: str, kind: str, told: str | None) -> None:
    assert cell(token, kind) == told


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_any_text_comes_out_of_a_table_as_it_went_in(texts: list[str]) -> None:
    rows = [(str(number), {"Name": text}) for number, text in enumerate(texts)]
    for ids, body in tables(["Name"], rows):
        read = list(csv.DictReader(io.StringIO(body.decode(), newline=""), restval=""))
        assert read == list(records(body))
        assert [row["Id"] for row in read] == list(ids)
        assert [row["Name"] for row in read] == texts


def test_a_table_that_is_too_large_becomes_several() -> None:
    rows = [(str(number), {"Name": "x" * 40}) for number in range(10)]
    made = list(tables(["Name"], rows, most=100))
    assert [id_ for ids, _ in made for id_ in ids] == [str(number) for number in range(10)]
    assert all(len(body) <= 100 and body.startswith(b"Id,Name\n") for _, body in made)
    assert len(made) > 1


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="CSV"):
        list(records(b'Id,Name\n1,"broken'))


def test_fields_are_sorted_by_when_they_can_be_set() -> None:
    flags = {
        flag.name: flag
        for flag in (
            FieldFlags("Name", createable=True, updateable=True, nillable=False),
            FieldFlags("Owner", createable=True, nillable=False, defaulted_on_create=True),
            FieldFlags("Site", createable=True, updateable=True),
            FieldFlags("Partner", updateable=True),
            FieldFlags("Parent", createable=True),
            FieldFlags("Sum", calculated=True, createable=True),
            FieldFlags("Number", auto_number=True, createable=True),
            FieldFlags("Secret", type="encryptedstring", createable=True),
            FieldFlags("Address", type="address"),
            FieldFlags("Hidden"),
            FieldFlags("CreatedDate", createable=True),
            FieldFlags("CreatedById"),
            FieldFlags("Id", type="id", createable=True),
        )
    }
    tokens = dict.fromkeys([*flags, "Gone"], '"x"') | {"Site": NULL}
    plan = remake(tokens, flags)
    assert plan.first == {
        "Name": '"x"',
        "Owner": '"x"',
        "Site": NULL,
        "Parent": '"x"',
        "CreatedDate": '"x"',
    }
    assert plan.later == {"Partner": '"x"'}
    assert set(plan.left) == {"Hidden", "Gone"}
    assert plan.missing == []
    assert remake({"Name": NULL}, flags).missing == ["Name"]


WINNER, LOSER, OTHER = (Ref("sf", "Account", f"00100000000000{number}AAA") for number in (1, 2, 3))


def child(number: int, now: str | None, before: str = LOSER.id, field: str = "AccountId") -> Child:
    return Child(Ref("sf", "Contact", f"00300000000000{number}AAA"), field, before, now)


def test_an_unmerge_moves_back_only_what_the_merge_moved() -> None:
    moved, again = child(1, WINNER.id[:15]), child(1, WINNER.id, field="Other__c")
    repointed, foreign = child(2, OTHER.id), child(3, WINNER.id, before=OTHER.id)
    children = [moved, again, repointed, foreign]
    steps = unmerge(WINNER, [LOSER], children, {"Phone": '"1"'}, key="p1")
    assert [write.ref for write in steps.undelete] == [LOSER]
    (write,) = steps.children["Contact"]
    assert write.ref == moved.ref
    assert write.fields == dict.fromkeys(("AccountId", "Other__c"), token_of(LOSER.id))
    assert set(steps.left) == {repointed.ref, foreign.ref}
    assert [(w.ref, w.fields) for w in steps.winner] == [(WINNER, {"Phone": '"1"'})]
    assert not unmerge(WINNER, [LOSER], [], {}, key="p1").winner


def test_what_salesforce_does_not_merge_cannot_be_unmerged() -> None:
    case = Ref("sf", "Case", "500000000000001AAA")
    with pytest.raises(Mistake, match="Case"):
        unmerge(case, [case], [], {}, key="k")
    for losers in ([], [WINNER], [Ref("sf", "Contact", LOSER.id)]):
        with pytest.raises(Mistake):
            unmerge(WINNER, losers, [], {}, key="k")
