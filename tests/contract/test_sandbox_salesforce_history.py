"""The sandbox org keeps the past of records as Salesforce does (fact sheet 11.1, 11.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server
from support.salesforce_org import Org, salesforce_org, soql
from support.sandbox import running_sandbox

MAYA = {"name": "Maya Lindholm"}
BOTH_NULL = (None, None)
BAD = 400


def rows(
    org: Org, what: str, object_: str, *end: str, all_rows: bool = False
) -> list[dict[str, Any]]:
    statement = soql("SELECT", what, "FROM", object_, *end)
    found = org.observer.query(statement, include_deleted=all_rows)["records"]
    return [{k: v for k, v in one.items() if k != "attributes"} for one in found]


def first(org: Org, object_: str) -> str:
    return str(rows(org, "Id", object_, "ORDER BY Id LIMIT 1")[0]["Id"])


def of(key: str, id_: str, order: str = "") -> str:
    return f"WHERE {key} = '{id_}'" + (f" ORDER BY {order}" if order else "")


def told(org: Org, history: str, key: str, id_: str) -> list[tuple[str, str, Any, Any]]:
    found = rows(
        org, "Field, DataType, OldValue, NewValue", history, of(key, id_, "CreatedDate, Id")
    )
    return [(one["Field"], one["DataType"], one["OldValue"], one["NewValue"]) for one in found]


def act(org: Org, **order: Any) -> list[str]:
    return [str(id_) for id_ in org.control.act("salesforce", **order)["ids"]]


def test_a_lookup_leaves_names_and_ids(org: Org) -> None:
    people = {one["name"]: one["id"] for one in org.control.people("salesforce")["users"]}
    account = first(org, "Account")
    owner = rows(org, "OwnerId, Owner.Name", "Account", of("Id", account))[0]
    act(org, do="update", object="Account", ids=[account],
        fields={"OwnerId": people["Quinn Rivera"]})  # fmt: skip
    assert told(org, "AccountHistory", "AccountId", account) == [
        ("Owner", "Text", owner["Owner"]["Name"], "Quinn Rivera"),
        ("Owner", "EntityId", owner["OwnerId"], people["Quinn Rivera"]),
    ]


def test_long_text_leaves_a_row_without_values(org: Org) -> None:
    deal = first(org, "Opportunity")
    act(org, do="update", object="Opportunity", ids=[deal], fields={"Description": "new"})
    [(name, _, *values)] = told(org, "OpportunityFieldHistory", "OpportunityId", deal)
    assert name == "Description"
    assert tuple(values) == BOTH_NULL


def test_a_new_record_leaves_a_created_row(org: Org) -> None:
    [lead] = act(org, do="create", object="Lead",
                 records=[{"fields": {"LastName": "New", "Company": "Acme"}}])  # fmt: skip
    assert [one[0] for one in told(org, "LeadHistory", "LeadId", lead)] == ["created"]


def test_values_are_neither_filtered_nor_there_after_24_months(org: Org) -> None:
    account = first(org, "Account")
    now = datetime.now(UTC)
    ages = {"young": 30, "old": 600, "gone": 800}
    act(
        org,
        do="write_history",
        object="Account",
        id=account,
        rows=[
            {
                "at": (now - timedelta(days=days)).isoformat(),
                "field": "Phone",
                "old": None,
                "new": name,
                "as": MAYA["name"],
            }
            for name, days in ages.items()
        ],
    )
    asked = "NewValue", "AccountHistory", of("AccountId", account, "CreatedDate")
    assert [one["NewValue"] for one in rows(org, *asked)] == ["young"]
    assert [one["NewValue"] for one in rows(org, *asked, all_rows=True)] == ["old", "young"]
    told_off = org.raw(
        "GET", "/query", params={"q": "SELECT Id FROM AccountHistory WHERE NewValue='old'"}
    )
    assert told_off.status_code == BAD
    assert told_off.json()[0]["errorCode"] == "INVALID_FIELD"


def test_deleted_history_is_shown_to_query_all_alone(org: Org) -> None:
    account = first(org, "Account")
    act(org, do="update", object="Account", ids=[account], fields={"Phone": "1"})
    act(org, do="delete_history", object="Account", ids=[account])
    asked = "IsDeleted", "AccountHistory", of("AccountId", account)
    assert rows(org, *asked) == []
    assert rows(org, *asked, all_rows=True) == [{"IsDeleted": True}]


def test_an_opportunity_keeps_its_whole_state(org: Org) -> None:
    end = "WHERE HasOpportunityLineItem = false LIMIT 1"
    before = rows(org, "Id, Amount", "Opportunity", end)[0]
    act(org, do="update", object="Opportunity", ids=[before["Id"]], fields={"NextStep": "call"})
    act(org, do="update", object="Opportunity", ids=[before["Id"]],
        fields={"Amount": 500, "StageName": "Closed Won"})  # fmt: skip
    [row] = rows(
        org,
        "StageName, Amount, PrevAmount, Probability, ExpectedRevenue, ForecastCategory",
        "OpportunityHistory",
        of("OpportunityId", before["Id"]),
    )
    assert row == {
        "StageName": "Closed Won",
        "Amount": 500.0,
        "PrevAmount": before["Amount"],
        "Probability": 100.0,
        "ExpectedRevenue": 500.0,
        "ForecastCategory": "Closed",
    }


def test_a_task_has_history_of_its_own_shape(org: Org) -> None:
    [task] = act(org, do="create", object="Task", records=[{"fields": {"Subject": "Call"}}])
    act(org, do="update", object="Task", ids=[task], fields={"Status": "Completed"})
    found = rows(
        org,
        "FieldName, Operation, OldValueText, NewValueText, IsDataAvailable",
        "ActivityFieldHistory",
        of("ActivityId", task, "ChangedDate, Id"),
    )
    assert [one["Operation"] for one in found] == ["Insert", "Update"]
    assert found[1] == {
        "FieldName": "Status",
        "Operation": "Update",
        "OldValueText": "Not Started",
        "NewValueText": "Completed",
        "IsDataAvailable": True,
    }


def test_history_has_no_stamp_to_poll_by(org: Org) -> None:
    described = org.observer.AccountHistory.describe()
    assert "SystemModstamp" not in {one["name"] for one in described["fields"]}
    [parent] = [one for one in described["fields"] if one["name"] == "AccountId"]
    assert parent["referenceTo"] == ["Account"]


def test_a_custom_object_has_history_with_a_parent(plus: Org) -> None:
    survey = first(plus, "Site_Survey__c")
    described = plus.observer.Site_Survey__History.describe()
    [parent] = [one for one in described["fields"] if one["name"] == "ParentId"]
    assert parent["referenceTo"] == ["Site_Survey__c"]
    name = rows(plus, "Name", "Site_Survey__c", of("Id", survey))[0]["Name"]
    act(plus, do="update", object="Site_Survey__c", ids=[survey], fields={"Name": "Renamed"})
    assert told(plus, "Site_Survey__History", "ParentId", survey)[-1][2:] == (name, "Renamed")


@pytest.fixture
def plus():
    with running_sandbox(features=["wide"]) as (server, control):
        yield from _opened(server, control)


def _opened(server: Server, control: Sandbox):
    with salesforce_org(server, control) as opened:
        yield opened
