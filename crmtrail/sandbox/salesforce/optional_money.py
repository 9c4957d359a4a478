"""Several currencies: a currency on every record that holds money, and their list."""

from dataclasses import replace

from crmtrail.sandbox.salesforce.feature import Feature, Objects
from crmtrail.sandbox.salesforce.fields import check, fixed, number, pick, stamps, text, whole
from crmtrail.sandbox.salesforce.optional_package import first_stamps
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables, table

CORPORATE = "EUR"
_CURRENCIES = (
    ("EUR", 1.0, 1),
    ("USD", 1.08, 1),
    ("GBP", 0.86, 1),
    ("JPY", 162.5, 1),
    ("DEM", 1.95583, 0),
)
_CODES = "|".join(code for code, _, _ in _CURRENCIES)
_FIELD = pick(
    "CurrencyIsoCode", _CODES, restricted=True, defaulted=True, default=CORPORATE, nillable=True
)

_TYPE = SObject(
    "CurrencyType",
    "Currency Types",
    "01L",
    (
        *stamps(deletable=False),
        text("IsoCode", 3, nillable=False, title=True, updateable=False),
        number("ConversionRate", 18, 6, nillable=False),
        whole("DecimalPlaces", nillable=False),
        check("IsActive", default=1),
        check("IsCorporate", **fixed()),
    ),
    label="Currency Type",
    deletable=False,
    undeletable=False,
    replicateable=False,
)


def _priced(objects: Objects) -> Objects:
    holds = [
        not item.view
        and (item.name == "Contact" or any(field.type == "currency" for field in item.fields))
        for item in objects
    ]
    return (
        *(
            replace(item, fields=(*item.fields, _FIELD)) if money else item
            for item, money in zip(objects, holds, strict=True)
        ),
        _TYPE,
    )


def _seed(tables: Tables) -> None:
    kinds = tables.schema.objects["CurrencyType"]
    stamped = first_stamps(tables)
    fresh = tables.new_ids(kinds, len(_CURRENCIES))
    tables.insert(
        kinds,
        [
            {
                "Id": id_,
                "IsoCode": code,
                "ConversionRate": rate,
                "DecimalPlaces": 0 if code == "JPY" else 2,
                "IsActive": active,
                "IsCorporate": int(code == CORPORATE),
                **stamped,
            }
            for id_, (code, rate, active) in zip(fresh, _CURRENCIES, strict=True)
        ],
    )
    for sobject in tables.schema.objects.values():
        if "currencyisocode" in sobject.by_name and not sobject.view:
            # Every third record is in dollars; a child is in its parent's currency or its own.
            tables.db.execute(
                f'UPDATE {table(sobject)} SET "CurrencyIsoCode" ='
                f" CASE WHEN _row % 3 = 0 THEN 'USD' ELSE '{CORPORATE}' END"
            )


MULTI_CURRENCY = Feature(_priced, seed=_seed)
