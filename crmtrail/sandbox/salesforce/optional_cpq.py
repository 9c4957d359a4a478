"""The optional feature ``cpq``: quotes, lines and approvals of the installed packages."""

from crmtrail.sandbox.salesforce.dice import Calendar
from crmtrail.sandbox.salesforce.feature import Feature, adding
from crmtrail.sandbox.salesforce.fields import (
    check,
    fixed,
    long_text,
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
from crmtrail.sandbox.salesforce.tables import Tables

_QUOTE = SObject(
    "SBQQ__Quote__c",
    "Quotes (CPQ)",
    "a0Q",
    (
        *stamps(),
        text("Name", 80, numbering="Q-{:05}", title=True, **fixed(nillable=False)),
        owner(),
        ref("SBQQ__Account__c", "Account", children="SBQQ__Quotes__r"),
        ref("SBQQ__Opportunity2__c", "Opportunity", children="SBQQ__Quotes2__r"),
        pick("SBQQ__Status__c", "Draft|In Review|Approved|Denied|Presented|Accepted|Rejected"),
        percent("SBQQ__CustomerDiscount__c"),
        percent("SBQQ__AveragePartnerDiscount__c", **fixed()),
        percent("SBQQ__AverageCustomerDiscount__c", formula='"SBQQ__CustomerDiscount__c"',
                **fixed()),
        money("SBQQ__ListAmount__c"),
        money("SBQQ__AdditionalDiscountAmount__c", formula=(
            'ROUND("SBQQ__ListAmount__c" * COALESCE("SBQQ__CustomerDiscount__c", 0) / 100.0, 2)'),
            **fixed()),
        money("SBQQ__NetAmount__c", formula=(
            'ROUND("SBQQ__ListAmount__c"'
            ' * (1 - COALESCE("SBQQ__CustomerDiscount__c", 0) / 100.0), 2)'), **fixed()),
        check("SBQQ__Primary__c"),
    ),
    label="Quote",
    licence="cpq",
)  # fmt: skip

_LINE = SObject(
    "SBQQ__QuoteLine__c",
    "Quote Lines (CPQ)",
    "a0L",
    (
        *stamps(),
        text("Name", 80, numbering="QL-{:07}", title=True, **fixed(nillable=False)),
        ref("SBQQ__Quote__c", "SBQQ__Quote__c", nillable=False, updateable=False,
            children="SBQQ__LineItems__r", on_delete="cascade"),
        ref("SBQQ__Product__c", "Product2"),
        number("SBQQ__Quantity__c", 12, 2),
        money("SBQQ__ListPrice__c"),
        percent("SBQQ__Discount__c"),
        money("SBQQ__AdditionalDiscountAmount__c"),
        percent("SBQQ__AdditionalDiscount__c", formula='"SBQQ__Discount__c"', **fixed()),
        money("SBQQ__NetPrice__c", formula=(
            'ROUND("SBQQ__ListPrice__c" * (1 - COALESCE("SBQQ__Discount__c", 0) / 100.0), 2)'),
            **fixed()),
    ),
    label="Quote Line",
    licence="cpq",
)  # fmt: skip

_APPROVAL = SObject(
    "sbaa__Approval__c",
    "Approvals (Advanced Approvals)",
    "a0P",
    (
        *stamps(),
        text("Name", 80, numbering="A-{:06}", title=True, **fixed(nillable=False)),
        owner(),
        ref("Quote__c", "SBQQ__Quote__c", children="Approvals__r", on_delete="cascade"),
        ref("sbaa__Opportunity__c", "Opportunity", children="sbaa__Approvals__r"),
        ref("sbaa__AssignedTo__c", "User"),
        ref("sbaa__ApprovedBy__c", "User"),
        ref("sbaa__RejectedBy__c", "User"),
        number("sbaa__ApprovalStep__c", 18, 0),
        text("sbaa__ApprovalChain__c", 255),
        long_text("sbaa__CommentsLong__c"),
        pick("sbaa__Status__c", "Assigned|Requested|Approved|Rejected|Recalled|Reassigned"),
        check("sbaa__Archived__c"),
    ),
    label="Approval",
    licence="cpq",
)  # fmt: skip


def _seed(tables: Tables) -> None:
    calendar = Calendar(tables)
    at = calendar.ago(20)
    users = {
        name: id_ for id_, name in tables.db.execute('SELECT "Id", "Name" FROM "sf_User"')
    }  # fmt: skip
    seller, approver = users["Maya Lindholm"], users["Ines Castro"]
    audit = {
        "CreatedDate": at, "CreatedById": seller, "LastModifiedDate": at,
        "LastModifiedById": seller, "SystemModstamp": at, "OwnerId": seller,
    }  # fmt: skip
    (deal, account) = tables.db.execute(
        'SELECT "Id", "AccountId" FROM "sf_Opportunity" ORDER BY _row LIMIT 1'
    ).fetchone()
    (quote,) = tables.new_ids(_QUOTE)
    common = {"SBQQ__Account__c": account, "SBQQ__Opportunity2__c": deal, "SBQQ__Primary__c": 1}
    money_ = {"SBQQ__ListAmount__c": 48_000.0, "SBQQ__CustomerDiscount__c": 18.0}
    named = {"Id": quote, "Name": _numbered(tables, _QUOTE), "SBQQ__Status__c": "Approved"}
    tables.insert(_QUOTE, [{**audit, **common, **money_, **named}])
    lines = [
        {
            **audit, "Id": id_, "Name": _numbered(tables, _LINE), "SBQQ__Quote__c": quote,
            "SBQQ__Quantity__c": 2.0, "SBQQ__ListPrice__c": 12_000.0, "SBQQ__Discount__c": 18.0,
        }
        for id_ in tables.new_ids(_LINE, 2)
    ]  # fmt: skip
    tables.insert(_LINE, lines)
    decision = {
        "Id": tables.new_ids(_APPROVAL)[0], "Name": _numbered(tables, _APPROVAL),
        "Quote__c": quote, "sbaa__Opportunity__c": deal, "sbaa__AssignedTo__c": approver,
        "sbaa__ApprovedBy__c": approver, "sbaa__ApprovalStep__c": 1.0,
        "sbaa__ApprovalChain__c": "Finance", "sbaa__CommentsLong__c": "Once only.",
        "sbaa__Status__c": "Approved", "sbaa__Archived__c": 0,
    }  # fmt: skip
    tables.insert(_APPROVAL, [{**audit, **decision}])


def _numbered(tables: Tables, sobject: SObject) -> str:
    (number_,) = tables.take(f"{sobject.name}.Name")
    return sobject.field("Name").numbering.format(number_)


CPQ = Feature(adding(_QUOTE, _LINE, _APPROVAL), seed=_seed)
