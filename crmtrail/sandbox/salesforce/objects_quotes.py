"""Products, prices, opportunity lines, quotes and their lines."""

from crmtrail.sandbox.salesforce.fields import (
    Field,
    address,
    check,
    day,
    email,
    fixed,
    long_text,
    money,
    number,
    owner,
    percent,
    phone,
    pick,
    ref,
    stamps,
    text,
    url,
    whole,
)
from crmtrail.sandbox.salesforce.schema import Rollup, SObject

_LINE_SUBTOTAL = 'ROUND("UnitPrice" * "Quantity", 2)'
_LINE_TOTAL = 'ROUND("UnitPrice" * "Quantity" * (1 - COALESCE("Discount", 0) / 100.0), 2)'

_PRODUCT = SObject(
    "Product2",
    "Products",
    "01t",
    (
        *stamps(),
        text("Name", 255, nillable=False, title=True),
        text("ProductCode", 255),
        long_text("Description", 4000),
        check("IsActive"),
        pick("Family", "Hardware|Software|Services"),
        text("StockKeepingUnit", 180),
        pick("QuantityUnitOfMeasure", "Each|Hour"),
        url("DisplayUrl"),
    ),
    label="Product",
)

_PRICEBOOK = SObject(
    "Pricebook2",
    "Price Books",
    "01s",
    (
        *stamps(),
        text("Name", 255, nillable=False, title=True),
        text("Description", 255),
        check("IsActive"),
        check("IsStandard", **fixed()),
    ),
    label="Price Book",
)

_ENTRY = SObject(
    "PricebookEntry",
    "Price Book Entries",
    "01u",
    (
        *stamps(),
        text("Name", 255, title=True, **fixed()),
        ref(
            "Pricebook2Id",
            "Pricebook2",
            nillable=False,
            updateable=False,
            children="PricebookEntries",
            on_delete="restrict",
        ),
        ref(
            "Product2Id",
            "Product2",
            nillable=False,
            updateable=False,
            children="PricebookEntries",
            on_delete="cascade",
        ),
        money("UnitPrice", nillable=False),
        check("IsActive"),
        check("UseStandardPrice"),
        text("ProductCode", 255, **fixed()),
    ),
    label="Price Book Entry",
    undeletable=False,
)


def _line(parent: str, children: str) -> tuple[Field, ...]:
    return (
        *stamps(),
        ref(
            f"{parent}Id",
            parent,
            nillable=False,
            updateable=False,
            children=children,
            on_delete="cascade",
        ),
        ref(
            "PricebookEntryId",
            "PricebookEntry",
            nillable=False,
            updateable=False,
            on_delete="restrict",
        ),
        ref("Product2Id", "Product2", **fixed(on_delete="restrict")),
        number("Quantity", 12, 2, nillable=False),
        money("UnitPrice", nillable=False),
        percent("Discount"),
        money("ListPrice", **fixed()),
        money("Subtotal", formula=_LINE_SUBTOTAL, **fixed()),
        money("TotalPrice", formula=_LINE_TOTAL, **fixed()),
        day("ServiceDate"),
        text("Description", 255),
        whole("SortOrder"),
    )


_OPPORTUNITY_LINE = SObject(
    "OpportunityLineItem",
    "Opportunity Products",
    "00k",
    (
        *_line("Opportunity", "OpportunityLineItems"),
        text("Name", 376, title=True, **fixed()),
        text("ProductCode", 255, **fixed()),
    ),
    label="Opportunity Product",
    undeletable=False,
)

_QUOTE = SObject(
    "Quote",
    "Quotes",
    "0Q0",
    (
        *stamps(),
        text("Name", 255, nillable=False, title=True),
        ref(
            "OpportunityId",
            "Opportunity",
            nillable=False,
            updateable=False,
            children="Quotes",
            on_delete="cascade",
        ),
        text("QuoteNumber", 30, numbering="{:08}", **fixed(nillable=False)),
        check("IsSyncing", **fixed()),
        pick(
            "Status",
            "Draft|Needs Review|In Review|Approved|Rejected|Presented|Accepted|Denied",
        ),
        day("ExpirationDate"),
        long_text("Description"),
        ref("ContactId", "Contact", children="Quotes"),
        ref("Pricebook2Id", "Pricebook2", updateable=False, children="Quotes"),
        owner(),
        whole("LineItemCount", rolled=True, **fixed()),
        money("Subtotal", rolled=True, **fixed()),
        money("TotalPrice", rolled=True, **fixed()),
        percent(
            "Discount",
            formula='CASE WHEN "Subtotal" > 0'
            ' THEN ROUND(100.0 * (1 - "TotalPrice" / "Subtotal"), 2) END',
            **fixed(),
        ),
        money("Tax"),
        money("ShippingHandling"),
        money(
            "GrandTotal",
            formula='"TotalPrice" + COALESCE("Tax", 0) + COALESCE("ShippingHandling", 0)',
            **fixed(),
        ),
        *address("Billing"),
        email("Email"),
        phone("Phone"),
        percent("Approved_Discount__c"),
    ),
    history="QuoteHistory",
    parent_key="QuoteId",
    tracked=frozenset({"Status", "Approved_Discount__c", "ExpirationDate", "OwnerId"}),
)

_QUOTE_LINE = SObject(
    "QuoteLineItem",
    "Quote Line Items",
    "0QL",
    (
        *_line("Quote", "QuoteLineItems"),
        text("LineNumber", 255, numbering="{:08}", title=True, **fixed(nillable=False)),
    ),
    label="Quote Line Item",
    history="QuoteLineItemHistory",
    parent_key="QuoteLineItemId",
    tracked=frozenset({"Discount", "Quantity", "UnitPrice"}),
)

QUOTES = (_PRODUCT, _PRICEBOOK, _ENTRY, _OPPORTUNITY_LINE, _QUOTE, _QUOTE_LINE)

_OPEN = '"IsClosed" = 0'
ROLLUPS = (
    Rollup("Opportunity", "HasOpportunityLineItem", "OpportunityLineItem", "OpportunityId",
           "COUNT(*) > 0"),
    Rollup("Opportunity", "Amount", "OpportunityLineItem", "OpportunityId",
           'ROUND(SUM("TotalPrice"), 2)', keep_empty=True),
    Rollup("Quote", "LineItemCount", "QuoteLineItem", "QuoteId", "COUNT(*)"),
    Rollup("Quote", "Subtotal", "QuoteLineItem", "QuoteId", 'ROUND(TOTAL("Subtotal"), 2)'),
    Rollup("Quote", "TotalPrice", "QuoteLineItem", "QuoteId", 'ROUND(TOTAL("TotalPrice"), 2)'),
    Rollup("Account", "Open_Opportunities__c", "Opportunity", "AccountId", "COUNT(*)", _OPEN),
    Rollup("Account", "Pipeline_Value__c", "Opportunity", "AccountId",
           'ROUND(TOTAL("Amount"), 2)', _OPEN),
)  # fmt: skip
"""Ordered so that a roll-up another one reads comes first."""
