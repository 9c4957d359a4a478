"""The sandbox org's schema."""

from collections.abc import Iterable

from crmtrail.sandbox.salesforce.access_definitions import DEFINITIONS
from crmtrail.sandbox.salesforce.access_permissions import PERMISSIONS
from crmtrail.sandbox.salesforce.event_logs import EVENTS
from crmtrail.sandbox.salesforce.objects_access import ACCESS
from crmtrail.sandbox.salesforce.objects_approvals import APPROVALS
from crmtrail.sandbox.salesforce.objects_consent import CONSENT
from crmtrail.sandbox.salesforce.objects_files import FILES
from crmtrail.sandbox.salesforce.objects_history import tracked
from crmtrail.sandbox.salesforce.objects_people import PEOPLE
from crmtrail.sandbox.salesforce.objects_quotes import QUOTES, ROLLUPS
from crmtrail.sandbox.salesforce.objects_sales import SALES
from crmtrail.sandbox.salesforce.objects_trail import TRAIL
from crmtrail.sandbox.salesforce.optional import widened
from crmtrail.sandbox.salesforce.schema import Schema

AUDIT = (*ACCESS, *PERMISSIONS, *DEFINITIONS, *EVENTS, *APPROVALS, *CONSENT, *FILES)


def org_schema(features: Iterable[str] = ()) -> Schema:
    """Return the schema: people, sales, quotes, approvals, history, audit, and features."""
    own = (*PEOPLE, *SALES, *QUOTES, *TRAIL, *AUDIT)
    objects, rollups = widened(own, ROLLUPS, features)
    return Schema(tracked(objects), rollups)
