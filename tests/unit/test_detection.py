from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.config import BlankingConfig, RulesConfig
from crmtrail.detection.notice import noticing
from crmtrail.model import (
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Field,
    FieldType,
    Op,
    Ref,
    Schema,
    Severity,
    unknown,
)
from crmtrail.ports import Scene

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SYNC = Actor(ActorKind.APP, "005A", "Marketing Sync", via="Marketing Sync")
BOB = Actor(ActorKind.USER, "005B", "Bob")
SCHEMA = Schema(
    "sf",
    "Contact",
    {
        "Phone": Field("Phone", FieldType.PHONE),
        "Email": Field("Email", FieldType.EMAIL),
        "Status": Field("Status", FieldType.CHOICE),
        "Score": Field("Score", FieldType.NUMBER, computed=True),
        "Amount": Field("Amount", FieldType.MONEY),
    },
)
NOTICE = noticing(RulesConfig())


def update(n, changes, actor=SYNC, at=None, previous=None):
    return ChangeSet(
        Ref("sf", "Contact", f"003{n:06}"),
        Op.UPDATE,
        2,
        tuple(Change(name, old, new) for name, (old, new) in changes.items()),
        actor,
        at or T0 + timedelta(milliseconds=n),
        T0 + timedelta(minutes=5),
        previous_operation=previous,
    )


def scene(operations=(), population=1000):
    return Scene("sf", "Contact", SCHEMA, population, operations)


def blanked(count, start=0, **kwargs):
    change = {"Phone": ('"555"', "null"), "Email": ('"a@b.example"', '""')}
    return [update(n, change, **kwargs) for n in range(start, start + count)]


def test_a_blanking_overwrite_is_one_finding_in_numbers():
    noticed = NOTICE(blanked(312), scene())
    (operation,) = noticed.operations
    (finding,) = noticed.findings
    assert set(noticed.membership) == {operation.id}
    assert finding.rule == "blanking"
    assert finding.records == 312
    assert finding.fields == ("Email", "Phone")
    assert finding.severity is Severity.HIGH
    assert finding.title == "Marketing Sync blanked Email, Phone on 312 of 1,000 Contact records"
    assert finding.evidence["fields"]["Phone"] == {
        "changed": 312,
        "blanked": 312,
        "top": [[None, 312]],
    }
    assert "the rule fires at 10" in finding.why


def test_an_operation_grows_over_pages_and_keeps_its_id():
    whole = NOTICE(blanked(300), scene())
    first = NOTICE(blanked(5), scene())
    assert first.findings == ()
    second = NOTICE(blanked(295, start=5), scene(first.operations))
    assert second.operations == whole.operations
    assert second.findings == whole.findings


def test_a_record_met_again_in_its_operation_counts_once():
    first = NOTICE(blanked(20), scene())
    (operation,) = first.operations
    again = NOTICE(
        [
            replace(change_set, previous_operation=operation.id)
            for change_set in blanked(20, at=T0 + timedelta(seconds=9))
        ],
        scene(first.operations),
    )
    assert again.operations[0].records == 20
    assert again.operations[0].tallies["Phone"].changed == 40


def test_records_with_different_blank_fields_are_one_operation():
    mixed = [
        update(
            n,
            {"Phone": ('"555"', "null")}
            if n % 2
            else {"Phone": ('"5"', '"6"'), "Email": ('"x"', '""')},
        )
        for n in range(40)
    ]
    noticed = NOTICE(mixed, scene())
    assert len(noticed.operations) == 1
    assert noticed.findings[0].records == 40


def test_a_pause_longer_than_the_burst_starts_another_operation():
    later = T0 + timedelta(hours=1)
    noticed = NOTICE([*blanked(12), *blanked(12, at=later)], scene())
    assert len(noticed.operations) == 2
    assert len(noticed.findings) == 2


def test_other_actors_are_other_operations():
    noticed = NOTICE([*blanked(12), *blanked(12, start=12, actor=BOB)], scene())
    assert {operation.actor for operation in noticed.operations} == {SYNC, BOB}


def test_a_rep_clearing_a_few_numbers_by_hand_is_quiet():
    assert NOTICE(blanked(9, actor=BOB), scene()).findings == ()


def test_a_mass_update_to_one_value_is_noticed():
    changes = [update(n, {"Status": ('"Open"', '"Lost"')}) for n in range(120)]
    (finding,) = NOTICE(changes, scene()).findings
    assert (finding.rule, finding.records, finding.fields) == ("mass_update", 120, ("Status",))
    assert "to 'Lost'" in finding.title


def test_many_different_values_are_noticed_only_when_very_many():
    def spread(count):
        return [update(n, {"Status": ('"Open"', f'"v{n}"')}) for n in range(count)]

    assert NOTICE(spread(200), scene()).findings == ()
    (finding,) = NOTICE(spread(500), scene()).findings
    assert finding.rule == "mass_update"
    assert " to " not in finding.title


@pytest.mark.parametrize(
    "changes",
    [
        [update(n, {"Score": ("1", "2")}) for n in range(600)],
        [update(n, {"Score": ("1", "null")}) for n in range(600)],
        [
            update(
                n, {"Status": ('"a"', '"b"')}, actor=Actor(ActorKind.SYSTEM, name="BATCH_UPDATE")
            )
            for n in range(600)
        ],
    ],
    ids=["formula moves", "formula goes blank", "the CRM's own batch"],
)
def test_computed_fields_and_the_crm_itself_are_quiet(changes):
    assert NOTICE(changes, scene()).findings == ()


def test_money_set_to_zero_is_a_blanking():
    changes = [update(n, {"Amount": ("1200.50", "0")}) for n in range(30)]
    (finding,) = NOTICE(changes, scene()).findings
    assert finding.rule == "blanking"
    assert finding.evidence["fields"]["Amount"]["top"] == [[0, 30]]


def test_one_operation_that_breaks_two_rules_is_one_incident():
    change = {"Phone": ('"555"', "null"), "Status": ('"Open"', '"Lost"')}
    (finding,) = NOTICE([update(n, change) for n in range(80)], scene()).findings
    assert (finding.rule, finding.fields) == ("blanking", ("Phone",))
    assert finding.evidence["also"] == {"mass_update": ["Status"]}


def test_an_unknown_actor_is_clustered_too():
    nobody = unknown("the vendor's history does not name it")
    (finding,) = NOTICE(blanked(15, actor=nobody), scene()).findings
    assert finding.title.startswith("unknown (the vendor's history does not name it) blanked")


def test_a_few_whole_record_events_make_an_operation_and_no_finding():
    gone = [replace(update(n, {}), op=Op.DELETE, changes=()) for n in range(30)]
    noticed = NOTICE(gone, scene())
    (operation,) = noticed.operations
    assert (operation.op, operation.records, operation.fields) == (Op.DELETE, 30, ())
    assert noticed.findings == ()


def over_and_over(count, *changes):
    """One record changed again and again in one operation."""
    return [
        replace(update(1, changes[n % len(changes)], at=T0 + timedelta(seconds=n)), number=n + 2)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        ({"Phone": ('"5"', "null")}, {"Phone": ("null", '"5"')}),
        ({"Status": ('"Open"', '"Closed"')},),
    ],
    ids=["blanked and filled", "set"],
)
def test_one_record_changed_a_thousand_times_is_no_mass_of_records(changes):
    noticed = NOTICE(over_and_over(1000, *changes), scene())
    assert noticed.operations[0].records == 1
    assert noticed.findings == ()


def test_blanks_of_an_ignored_field_do_not_swell_a_finding():
    rules = RulesConfig(blanking=BlankingConfig(ignore_fields=("Email",)))
    wide = [update(n, {"Email": ('"a@b.example"', "null")}) for n in range(300)]
    narrow = [update(n, {"Phone": ('"5"', "null"), "Email": ('"x"', "null")}) for n in range(12)]
    (finding,) = noticing(rules)([*wide[12:], *narrow], scene()).findings
    assert (finding.fields, finding.records) == (("Phone",), 12)


def test_a_slow_burst_read_in_any_order_is_one_operation():
    slow = [update(n, {"Phone": ('"5"', "null")}, at=T0 + timedelta(minutes=n)) for n in range(60)]
    shuffled = [slow[n * 7 % 60] for n in range(60)]
    noticed = NOTICE(shuffled, scene())
    (operation,) = noticed.operations
    assert noticed.membership == [operation.id] * 60
    assert operation == NOTICE(slow, scene()).operations[0]
    assert noticed.findings[0].records == 60


def test_two_apps_at_once_are_two_operations_in_the_order_asked():
    other = replace(SYNC, id="005C", name="Enricher", via="Enricher")
    mixed = [
        update(n, {"Phone": ('"5"', "null")}, actor=SYNC if n % 2 else other) for n in range(40)
    ]
    noticed = NOTICE(mixed, scene())
    assert len(noticed.operations) == len(noticed.findings) == 2
    assert len(set(noticed.membership[::2])) == len(set(noticed.membership[1::2])) == 1
    assert {finding.records for finding in noticed.findings} == {20}


def came_or_went(op, count, actor=SYNC):
    return [replace(update(n, {}, actor=actor), op=op) for n in range(count)]


@pytest.mark.parametrize(
    ("op", "rule", "words", "count"),
    [
        (Op.DELETE, "mass_delete", "deleted 60 Contact records", 60),
        (Op.MERGE, "mass_merge", "merged away 60 Contact records", 60),
        (Op.CREATE, "mass_create", "created 1,000 Contact records", 1_000),
    ],
)
def test_many_records_that_come_or_go_at_once_are_noticed(op, rule, words, count):
    (finding,) = NOTICE(came_or_went(op, count), scene()).findings
    assert (finding.rule, finding.records, finding.fields) == (rule, count, ())
    assert words in finding.title
    assert f"the rule fires at {1_000 if op is Op.CREATE else 50:,}" in finding.why


def test_few_deletions_and_those_of_the_crm_itself_are_quiet():
    crm = Actor(ActorKind.SYSTEM, "PURGE", "HubSpot")
    assert NOTICE(came_or_went(Op.DELETE, 49), scene()).findings == ()
    assert NOTICE(came_or_went(Op.DELETE, 500, actor=crm), scene()).findings == ()
