"""How long the rows of a field history object are shown."""

from datetime import datetime, timedelta

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.schema import SObject

SHOWN, KEPT = timedelta(days=548), timedelta(days=730)
"""18 months for query, 24 for queryAll."""


def shown_since(sobject: SObject, now: datetime, *, all_rows: bool) -> str | None:
    """Return from when on the rows of a field history object are shown; None for other objects."""
    if "newvalue" not in sobject.by_name or "createddate" not in sobject.by_name:
        return None
    return moments.stamp(now - (KEPT if all_rows else SHOWN))
