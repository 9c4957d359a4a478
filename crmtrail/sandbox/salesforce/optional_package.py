"""A package with a namespace of its own, and a place as a custom field."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce.feature import Feature, Objects, adding
from crmtrail.sandbox.salesforce.fields import (
    Field,
    area,
    check,
    day,
    fixed,
    money,
    number,
    owner,
    pick,
    ref,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.schema import Rollup, SObject
from crmtrail.sandbox.salesforce.tables import Tables

_INVOICES, _LINES = 6, 3

_INVOICE = SObject(
    "ns__Invoice__c",
    "Invoices",
    "a0N",
    (
        *stamps(),
        owner(),
        text("Name", 80, numbering="INV-{:05}", title=True, **fixed(nillable=False)),
        ref("ns__Account__c", "Account", children="ns__Invoices__r"),
        pick("ns__Status__c", "Draft|Sent|Paid|Void", restricted=True, default="Draft"),
        day("ns__Due_Date__c"),
        money("ns__Total__c", rolled=True, **fixed()),
        area("ns__Terms__c"),
        check("ns__Disputed__c"),
    ),
    label="Invoice",
)

_LINE = SObject(
    "ns__InvoiceLine__c",
    "Invoice Lines",
    "a0L",
    (
        *stamps(),
        text("Name", 80, title=True),
        ref(
            "ns__Invoice__c",
            "ns__Invoice__c",
            nillable=False,
            updateable=False,
            children="ns__Lines__r",
            on_delete="cascade",
        ),
        ref("ns__Product__c", "Product2", children="ns__InvoiceLines__r"),
        number("ns__Quantity__c", 12, 2),
        money("ns__Price__c"),
        money(
            "ns__Line_Total__c", formula='ROUND("ns__Quantity__c" * "ns__Price__c", 2)', **fixed()
        ),
    ),
    label="Invoice Line",
)

_TOTAL = Rollup(
    "ns__Invoice__c", "ns__Total__c", "ns__InvoiceLine__c", "ns__Invoice__c",
    'ROUND(TOTAL("ns__Line_Total__c"), 2)',
)  # fmt: skip


def first_stamps(tables: Tables) -> dict[str, Any]:
    """Return the audit fields of records that exist since the org does, and who owns them."""
    user, born = tables.db.execute(
        'SELECT "Id", "CreatedDate" FROM "sf_User" ORDER BY _row LIMIT 1'
    ).fetchone()
    return {
        "OwnerId": user,
        "CreatedDate": born,
        "CreatedById": user,
        "LastModifiedDate": born,
        "LastModifiedById": user,
        "SystemModstamp": born,
    }


def _seed_package(tables: Tables) -> None:
    schema = tables.schema.objects
    invoice, line = schema["ns__Invoice__c"], schema["ns__InvoiceLine__c"]
    stamped = first_stamps(tables)
    accounts = [row[0] for row in tables.db.execute('SELECT "Id" FROM "sf_Account" ORDER BY _row')]
    chance = tables.world.random("salesforce/namespace")
    heads = [
        _invoice(at, id_, accounts[at % len(accounts)], stamped)
        for at, id_ in enumerate(tables.new_ids(invoice, _INVOICES))
    ]
    tables.take("ns__Invoice__c.Name", _INVOICES)
    rows: list[dict[str, Any]] = []
    fresh = iter(tables.new_ids(line, _INVOICES * _LINES))
    for head in heads:
        for place in range(_LINES):
            quantity, price = chance.randrange(1, 9), chance.randrange(10, 900)
            head["ns__Total__c"] += float(quantity * price)
            rows.append(
                {
                    "Id": next(fresh),
                    "Name": f"Position {place + 1}",
                    "ns__Invoice__c": head["Id"],
                    "ns__Quantity__c": float(quantity),
                    "ns__Price__c": float(price),
                    **stamped,
                }
            )
    tables.insert(invoice, heads)
    tables.insert(line, rows)


def _invoice(at: int, id_: str, account: str, stamped: Mapping[str, Any]) -> dict[str, Any]:
    born = datetime.strptime(stamped["CreatedDate"], "%Y-%m-%dT%H:%M:%S.%f%z")
    return {
        "Id": id_,
        "Name": f"INV-{at + 1:05}",
        "ns__Account__c": account,
        "ns__Status__c": ("Draft", "Sent", "Paid")[at % 3],
        "ns__Due_Date__c": (born + timedelta(days=30 * (at + 1))).date().isoformat(),
        "ns__Total__c": 0.0,
        "ns__Disputed__c": 0,
        **stamped,
    }


NAMESPACE = Feature(adding(_INVOICE, _LINE), rollups=(_TOTAL,), seed=_seed_package)


def _placed(objects: Objects) -> Objects:
    """Give accounts a custom geolocation: two numbers and the read-only whole."""
    part: dict[str, Any] = {"compound": "Warehouse__c"}
    north = number("Warehouse__Latitude__s", 18, 15, **part)
    east = number("Warehouse__Longitude__s", 18, 15, **part)
    whole = Field("Warehouse__c", "location", parts=(north.name, east.name), **fixed())
    return tuple(
        replace(item, fields=(*item.fields, north, east, whole)) if item.name == "Account" else item
        for item in objects
    )


def _seed_places(tables: Tables) -> None:
    tables.db.execute(
        'UPDATE "sf_Account" SET "Warehouse__Latitude__s" = "BillingLatitude",'
        ' "Warehouse__Longitude__s" = "BillingLongitude"'
    )


GEOLOCATION = Feature(_placed, seed=_seed_places)
