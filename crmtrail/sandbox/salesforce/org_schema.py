"""The sandbox org's schema."""

from crmtrail.sandbox.salesforce.objects_people import PEOPLE
from crmtrail.sandbox.salesforce.objects_quotes import QUOTES, ROLLUPS
from crmtrail.sandbox.salesforce.objects_sales import SALES
from crmtrail.sandbox.salesforce.objects_trail import TRAIL
from crmtrail.sandbox.salesforce.schema import Schema


def org_schema() -> Schema:
    """Return the schema: people, sales objects, quotes, approvals and history."""
    return Schema((*PEOPLE, *SALES, *QUOTES, *TRAIL), ROLLUPS)
