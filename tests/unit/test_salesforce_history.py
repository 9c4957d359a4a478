"""Rows of Salesforce's history objects, read as changes; and the questions that ask for them."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.months import months_before
from connectors.salesforce.discovery import Listed, Listing
from connectors.salesforce.history_rows import activity, changes, merged, stages, trail
from connectors.salesforce.history_sources import Shape, candidates, source
from connectors.salesforce.history_tokens import recorded
from connectors.salesforce.schema import Describe, DescribedField
from crmtrail.model import Actor, ActorKind, Field, FieldType, Reading, Ref

ADA, BOB = "005000000000001AAA", "005000000000002AAA"
TOP = "001000000000001AAA"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIELDS = {
    field.name: field
    for field in (
        Field("Phone"),
        Field("OwnerId", FieldType.REFERENCE),
        Field("Notes__c"),
        Field("StageName"),
        Field("Amount", FieldType.MONEY),
    )
}
CASES = [
    (FieldType.NUMBER, '"1,234.50"', "1234.50"),
    (FieldType.NUMBER, "23", "23"),
    (FieldType.NUMBER, '"many"', None),
    (FieldType.BOOLEAN, '"true"', "true"),
    (FieldType.BOOLEAN, "false", "false"),
    (FieldType.BOOLEAN, '"perhaps"', None),
    (FieldType.DATE, '"2026-01-31T00:00:00.000+0000"', '"2026-01-31"'),
    (FieldType.DATE, '"2026-01-31"', '"2026-01-31"'),
    (FieldType.DATE, '"31.1.2026"', None),
    (FieldType.DATETIME, '"2026-01-31T10:00:00Z"', '"2026-01-31T10:00:00.000+0000"'),
    (FieldType.DATETIME, '"2026-01-31T10:00:00.000+0000"', '"2026-01-31T10:00:00.000+0000"'),
    (FieldType.REFERENCE, '"001000000000001"', '"001000000000001AAA"'),
    (FieldType.REFERENCE, '"Acme"', None),
    (FieldType.TEXT, '"\\u00e9"', '"\\u00e9"'),
    (FieldType.TEXT, "null", "null"),
]


def row(**told):
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in told.items()}


def entry(field, old, new, *, second=0, by=ADA, id_="1", kind="Text", **more):
    at = (NOON + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return row(Field=field, OldValue=old, NewValue=new, CreatedDate=at, CreatedById=by, Id=id_,
               DataType=kind, **more)  # fmt: skip


def told(*rows):
    return [(one.field, one.old, one.new) for one in changes(rows, FIELDS, "CreatedDate")]


def reading(**fields):
    return Reading(
        ref=Ref("sf", "Account", TOP),
        fields={name: json.dumps(value) for name, value in fields.items()},
        modified_at=NOON,
        read_at=NOON,
        edited_at=NOON,
        actor=Actor(ActorKind.USER, id=ADA),
    )


@pytest.mark.parametrize(("type_", "value", "token"), CASES)
def test_a_value_is_spelled_as_the_record_spells_it(type_, value, token):
    assert recorded(Field("X", type_), value) == token


def test_what_is_no_field_is_no_change():
    special = ["created", "ownerAccepted", "accountMerged", "locked", "unlocked", "Nowhere__c"]
    assert told(*(entry(name, None, "x") for name in special)) == []


def test_deleted_rows_are_left_out():
    assert told(entry("Phone", "1", "2", IsDeleted=True)) == []


def test_of_a_lookup_the_ids_are_kept_whatever_the_field_is_called():
    for name in ("Owner", "OwnerId"):
        pair = (
            entry(name, "Ada", "Bob", id_="1"),
            entry(name, ADA, BOB, id_="2", kind="EntityId"),
        )
        assert told(*pair) == [("OwnerId", f'"{ADA}"', f'"{BOB}"')]


def test_a_lookup_that_tells_names_alone_tells_no_value():
    assert told(entry("Owner", "Ada", "Bob")) == [("OwnerId", None, None)]


def test_changes_of_one_second_go_on_from_each_other():
    shuffled = (
        entry("Phone", "2", "3", id_="a"),
        entry("Phone", "0", "1", id_="b"),
        entry("Phone", "1", "2", id_="c"),
    )
    assert [one[2] for one in told(*shuffled)] == ['"1"', '"2"', '"3"']


def test_a_change_without_values_led_to_what_is_there_now_if_it_is_the_newest():
    found = changes(
        (entry("Notes__c", None, None), entry("Notes__c", None, None, second=9, by=BOB)),
        FIELDS,
        "CreatedDate",
    )
    made = trail(found, reading(Notes__c="now"), {})
    assert [(e.token, e.old, e.at) for e in made.events] == [
        ('"now"', None, NOON + timedelta(seconds=9))
    ]
    assert made.missing == (("Notes__c", NOON),)
    assert made.events[0].actor.kind is ActorKind.UNKNOWN


def stage(name, amount, second, id_="1", **more):
    at = (NOON + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return row(StageName=name, Amount=amount, CreatedDate=at, CreatedById=ADA, Id=id_, **more)


def test_states_of_an_opportunity_tell_what_changed_between_them():
    rows = (stage("New", 5, 0), stage("New", 7, 10), stage("Won", 7, 20))
    found = stages(rows, FIELDS, NOON, poll=False)
    assert [(one.field, one.old, one.new) for one in found] == [
        ("Amount", "5", "7"),
        ("StageName", '"New"', '"Won"'),
    ]


def test_the_first_state_tells_what_it_knows_of_the_one_before():
    rows = (stage("New", 7, 10, PrevAmount=5),)
    kept = stages(rows, FIELDS, NOON, poll=False)
    assert [(one.field, one.old, one.new) for one in kept] == [("Amount", "5", "7")]
    polled = stages(rows, FIELDS, NOON, poll=True)
    assert {(one.field, one.old) for one in polled} == {("Amount", "5"), ("StageName", None)}


def test_what_both_histories_tell_is_told_once():
    one = changes((entry("Amount", 5, 7, second=10),), FIELDS, "CreatedDate")
    other = stages((stage("New", 5, 0), stage("Won", 7, 10)), FIELDS, NOON, poll=False)
    both = merged(one, other)
    assert [each.field for each in both] == ["Amount", "StageName"]


def test_a_task_tells_its_values_by_kind():
    base = {"ChangedDate": "2026-11-24T12:00:00.000+0000", "ChangedById": ADA}
    rows = (
        row(Id="1", FieldName="Phone", Operation="Update", OldValueText="1", NewValueText="2",
            IsDataAvailable=True, **base),
        row(Id="2", FieldName="Amount", Operation="Update", OldValueNumber=1, NewValueNumber=2,
            IsDataAvailable=True, **base),
        row(Id="3", FieldName="Notes__c", Operation="Update", NewValueText="lost",
            IsDataAvailable=False, **base),
        row(Id="4", FieldName="StageName", Operation="Insert", NewValueText="born",
            IsDataAvailable=True, **base),
    )  # fmt: skip
    assert [(one.field, one.old, one.new) for one in activity(rows, FIELDS)] == [
        ("Phone", '"1"', '"2"'),
        ("Amount", "1", "2"),
        ("Notes__c", None, None),
    ]


LISTED = Listing(
    [
        Listed(name)
        for name in (
            "AccountHistory",
            "OpportunityFieldHistory",
            "OpportunityHistory",
            "ns__Bill__History",
            "ActivityFieldHistory",
            "FieldHistoryArchive",
        )
    ]
)


@pytest.mark.parametrize(
    ("object_", "names"),
    [
        ("Account", ["AccountHistory", "FieldHistoryArchive"]),
        ("account", ["AccountHistory", "FieldHistoryArchive"]),
        (
            "Opportunity",
            ["OpportunityFieldHistory", "OpportunityHistory", "FieldHistoryArchive"],
        ),
        ("ns__Bill__c", ["ns__Bill__History", "FieldHistoryArchive"]),
        ("Task", ["ActivityFieldHistory"]),
        ("OpportunityLineItem", []),
    ],
)
def test_which_objects_keep_the_history_of_one(object_, names):
    assert [name for name, _ in candidates(object_, LISTED)] == names


def described(*names, **references):
    fields = [DescribedField(name) for name in names]
    fields += [
        DescribedField(n, type="reference", reference_to=[to]) for n, to in references.items()
    ]
    return Describe(fields=fields)


def test_the_parent_is_found_by_what_it_refers_to():
    answer = described("Id", "CreatedDate", "Field", "NewValue", CreatedById="User", UserId="User")
    found = source("UserHistory", Shape.FIELD, "User", lambda _: answer)
    assert found is not None
    assert found.parent == "UserId"
    asked = found.among(["005a", "005b"], NOON)
    assert "WHERE UserId IN ('005a','005b') AND CreatedDate >= 2026-11-24T12:00:00.000Z" in asked
    assert asked.endswith("ORDER BY CreatedDate,Id LIMIT 2000")


def test_an_archive_is_asked_by_its_index():
    answer = described("HistoryId", "CreatedDate", "Field", "NewValue", "ParentId")
    found = source("FieldHistoryArchive", Shape.ARCHIVE, "Account", lambda _: answer)
    assert found is not None
    several = found.archived("Account", ["001a", "001b"], (NOON, NOON))
    assert several.endswith("FieldHistoryType = 'Account' AND ParentId IN ('001a','001b')")
    one = found.archived("Account", ["001a"], (NOON, NOON + timedelta(days=1)))
    assert "ParentId = '001a' AND CreatedDate >= " in one
    assert "ORDER BY" not in one


def test_what_is_hidden_makes_a_history_unusable():
    answer = described("Id", "CreatedDate", "Field", AccountId="Account")
    assert source("AccountHistory", Shape.FIELD, "Account", lambda _: answer) is None


def test_months_are_counted_back_by_the_calendar():
    assert months_before(datetime(2026, 11, 30, tzinfo=UTC), 24) == datetime(
        2024, 11, 28, tzinfo=UTC
    )
    assert months_before(datetime(2026, 1, 5, tzinfo=UTC), 1) == datetime(2025, 12, 5, tzinfo=UTC)
