"""What keeps the past of records: history objects, of custom objects too, and tasks."""

from collections.abc import Iterable
from dataclasses import replace

from crmtrail.sandbox.salesforce.fields import (
    Field,
    check,
    day,
    fixed,
    long_text,
    moment,
    money,
    number,
    owner,
    percent,
    pick,
    ref,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.schema import SObject

MOST_TRACKED = 20
_CUSTOM_PREFIX = "017"


def history(name: str, parent: str, prefix: str, key: str = "") -> SObject:
    """Make a history object; its rows carry CreatedDate and no SystemModstamp."""
    never = fixed(nillable=False, defaulted=True)
    children = "OpportunityFieldHistories" if parent == "Opportunity" else "Histories"
    return SObject(
        name,
        f"{parent} History",
        prefix,
        (
            Field("Id", "id", length=18, **never),
            check("IsDeleted", formula='"_deleted" IS NOT NULL', **fixed()),
            ref(
                key or f"{parent}Id",
                parent,
                **fixed(nillable=False, children=children, on_delete="cascade"),
            ),
            ref("CreatedById", "User", **never),
            moment("CreatedDate", **never),
            pick("Field", "created", **fixed(nillable=False)),
            pick("DataType", "Text|EnumOrId|DateTime|Double|Boolean", **fixed()),
            Field("OldValue", "anyType", **fixed()),
            Field("NewValue", "anyType", **fixed()),
        ),
        label=f"{parent} History",
        createable=False,
        updateable=False,
        deletable=False,
        undeletable=False,
    )


_STAGES = SObject(
    "OpportunityHistory",
    "Opportunity: Stage History",
    "008",
    (
        Field("Id", "id", length=18, **fixed(nillable=False, defaulted=True)),
        check("IsDeleted", formula='"_deleted" IS NOT NULL', **fixed()),
        ref(
            "OpportunityId",
            "Opportunity",
            **fixed(nillable=False, children="OpportunityHistories", on_delete="cascade"),
        ),
        ref("CreatedById", "User", **fixed(nillable=False, defaulted=True)),
        moment("CreatedDate", **fixed(nillable=False, defaulted=True)),
        pick("StageName", "", **fixed(nillable=False)),
        money("Amount", **fixed()),
        money("PrevAmount", **fixed()),
        money("ExpectedRevenue", **fixed()),
        day("CloseDate", **fixed()),
        day("PrevCloseDate", **fixed()),
        percent("Probability", 3, 0, **fixed()),
        pick("ForecastCategory", "", **fixed()),
        moment("SystemModstamp", **fixed(nillable=False, defaulted=True)),
    ),
    label="Opportunity: Stage History",
    createable=False,
    updateable=False,
    deletable=False,
    undeletable=False,
    replicateable=False,
)

_TASK = SObject(
    "Task",
    "Tasks",
    "00T",
    (
        *stamps(),
        ref("WhoId", "Contact|Lead", children="Tasks"),
        ref("WhatId", "Account|Opportunity|Quote", children="Tasks"),
        text("Subject", 255, title=True),
        day("ActivityDate"),
        pick("Status", "Not Started|In Progress|Completed", nillable=False, default="Not Started",
             defaulted=True),
        pick("Priority", "High|Normal|Low", nillable=False, default="Normal", defaulted=True),
        owner("Group|User"),
        long_text("Description"),
        check("IsClosed", formula="\"Status\" = 'Completed'", **fixed()),
        moment("ReminderDateTime"),
    ),
    history="ActivityFieldHistory",
    parent_key="ActivityId",
    tracked=frozenset({"Subject", "Status", "Priority", "ActivityDate", "OwnerId", "Description",
                       "ReminderDateTime"}),
)  # fmt: skip

_ACTIVITIES = SObject(
    "ActivityFieldHistory",
    "Activity Field History",
    "9RT",
    (
        Field("Id", "id", length=18, **fixed(nillable=False, defaulted=True)),
        ref(
            "ActivityId",
            "Task",
            **fixed(nillable=False, children="ActivityFieldHistories", on_delete="cascade"),
        ),
        ref("ChangedById", "User", **fixed(nillable=False)),
        moment("ChangedDate", **fixed(nillable=False)),
        text("FieldName", 255, **fixed(nillable=False)),
        pick("Operation", "Insert|Update", **fixed(nillable=False)),
        pick("DataType", "Text|Number|DateTime", **fixed()),
        text("OldValueText", 255, **fixed()),
        text("NewValueText", 255, **fixed()),
        number("OldValueNumber", 18, 2, **fixed()),
        number("NewValueNumber", 18, 2, **fixed()),
        moment("OldValueDateTime", **fixed()),
        moment("NewValueDateTime", **fixed()),
        check("IsDataAvailable", default=1, **fixed()),
    ),
    label="Activity Field History",
    createable=False,
    updateable=False,
    deletable=False,
    undeletable=False,
    replicateable=False,
)

HISTORY = (
    history("AccountHistory", "Account", "02c"),
    history("ContactHistory", "Contact", "03m"),
    history("LeadHistory", "Lead", "03l"),
    history("OpportunityFieldHistory", "Opportunity", "017"),
    history("QuoteHistory", "Quote", "0tq"),
    history("QuoteLineItemHistory", "QuoteLineItem", "0tl"),
    _STAGES,
    _TASK,
    _ACTIVITIES,
)


def tracked(objects: Iterable[SObject]) -> tuple[SObject, ...]:
    """Return objects with the history of the custom ones: all their fields, twenty at most."""
    known = tuple(objects)
    names = {item.name for item in known}
    found: list[SObject] = []
    for number_, item in enumerate(known):
        name = item.name.removesuffix("__c") + "__History"
        if not item.name.endswith("__c") or item.history or not item.updateable or name in names:
            found.append(item)
            continue
        fields = [one.name for one in item.stored if one.updateable and not one.computed]
        found += [
            replace(
                item,
                history=name,
                parent_key="ParentId",
                tracked=frozenset(fields[:MOST_TRACKED]),
            ),
            history(name, item.name, f"{_CUSTOM_PREFIX[:1]}h{number_ % 36:x}"[:3], "ParentId"),
        ]
    return tuple(found)
