import pytest

from crmtrail.sandbox.salesforce import soql
from crmtrail.sandbox.salesforce.filters import unescape
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.soql_tree import Call, Comparison, Logic, Name, Not, Query


def test_a_whole_statement_becomes_a_tree():
    query = soql.parse(
        "select Id, Account.Owner.Name, (SELECT Id FROM Contacts) from Contact c"
        " where Name LIKE 'A%' and not Email = null"
        " order by CreatedDate desc nulls last, Id limit 5 offset 10"
    )
    first, second, third = query.select
    assert isinstance(first, Name)
    assert isinstance(second, Name)
    assert second.parts == ("Account", "Owner", "Name")
    assert isinstance(third, Query)
    assert (query.source, query.alias, query.limit, query.offset) == ("Contact", "c", 5, 10)
    assert [(term.descending, term.nulls_first) for term in query.order] == [
        (True, False),
        (False, True),
    ]
    assert isinstance(query.where, Logic)
    assert isinstance(query.where.parts[1], Not)


def test_grouping_and_functions():
    query = soql.parse("SELECT StageName, COUNT(Id) n FROM Opportunity GROUP BY StageName")
    assert query.select[1] == Call("COUNT", Name(("Id",), 24), 18, "n")
    assert query.group[0].parts == ("StageName",)


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        ("2026-01-31T12:00:00Z", "datetime"),
        ("2026-01-31T12:00:00.000+0000", "datetime"),
        ("2026-01-31T12:00:00+01:00", "datetime"),
        ("2026-01-31", "date"),
        ("-1.5e3", "number"),
        ("LAST_N_DAYS:30", "range"),
        ("today", "range"),
        ("true", "boolean"),
        ("NULL", "null"),
        (r"'it\'s'", "string"),
    ],
)
def test_literals(literal, kind):
    where = soql.parse("SELECT Id FROM X WHERE A = ?".replace("?", literal)).where
    assert isinstance(where, Comparison)
    assert not isinstance(where.right, tuple | Query)
    assert where.right.kind == kind


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT FROM Account",
        "SELECT Id",
        "SELECT Id FROM Account WHERE",
        "SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3",
        "SELECT Id FROM Account LIMIT -1",
        "SELECT Id FROM Account LIMIT 1 2",
        "SELECT Id, FROM Account",
        "SELECT Id FROM Account WHERE Name = 'open",
        "SELECT Id FROM Account WHERE Name ~ 'x'",
        "SELECT Id FROM Account WHERE Name IN ()",
        "DELETE FROM Account",
    ],
)
def test_malformed_statements_are_refused_at_a_place(statement):
    with pytest.raises(Refusal) as caught:
        soql.parse(statement)
    assert caught.value.code == "MALFORMED_QUERY"
    assert "ERROR at Row:1:Column:" in caught.value.message


def test_the_place_counts_rows_and_columns():
    with pytest.raises(Refusal, match="ERROR at Row:2:Column:12"):
        soql.parse("SELECT Id\nFROM Lead  %")


def test_limits_of_a_statement():
    with pytest.raises(Refusal) as caught:
        soql.parse("SELECT Id FROM Account OFFSET 2001")
    assert caught.value.code == "NUMBER_OUTSIDE_VALID_RANGE"
    with pytest.raises(Refusal) as caught:
        soql.parse("SELECT Id FROM Account WHERE Name = '" + "x" * 100_000 + "'")
    assert caught.value.code == "MALFORMED_QUERY"


def test_escapes():
    assert unescape(r"it\'s\n\"\\ A") == "it's\n\"\\ A"
    assert unescape(r"50\% \_ \'", pattern=True) == r"50\% \_ '"
