"""An object with so many fields that a query of all of them does not fit a URI."""

from crmtrail.sandbox.salesforce.feature import Feature, adding
from crmtrail.sandbox.salesforce.fields import (
    Field,
    check,
    day,
    number,
    owner,
    percent,
    pick,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.optional_package import first_stamps
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

FIELDS = 900
"""Custom fields; Salesforce allows 800 a customer adds, and more from packages."""
_RECORDS = 25


def _field(number_: int) -> Field:
    name = f"Measurement_Of_Station_{number_:03}__c"
    made = (
        text(name, 80),
        number(name, 12, 3),
        day(name),
        check(name),
        percent(name),
        pick(name, "low|middle|high"),
    )
    return made[number_ % len(made)]


_SURVEY = SObject(
    "Site_Survey__c",
    "Site Surveys",
    "a0W",
    (
        *stamps(),
        owner(),
        text("Name", 80, title=True),
        *(_field(number_) for number_ in range(FIELDS)),
    ),
    label="Site Survey",
)


def _seed(tables: Tables) -> None:
    survey = tables.schema.objects["Site_Survey__c"]
    chance = tables.world.random("salesforce/wide")
    stamped = first_stamps(tables)
    rows = []
    for at, id_ in enumerate(tables.new_ids(survey, _RECORDS)):
        row = {"Id": id_, "Name": f"Survey {at + 1}", **stamped}
        for field in survey.stored:
            if field.type == "double":
                row[field.name] = round(chance.random() * 1000, 3)
            elif field.type == "string" and field.custom:
                row[field.name] = f"Station {chance.randrange(10_000)}"
            elif field.type == "boolean":
                row[field.name] = chance.randrange(2)
        rows.append(row)
    tables.insert(survey, rows)


WIDE = Feature(adding(_SURVEY), seed=_seed)
