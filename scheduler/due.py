"""Which sort of run is due for an object. Pure."""

from datetime import datetime, timedelta

from crmtrail.model import Mode
from crmtrail.ports import Sweeps


def mode_due(
    sweeps: Sweeps, now: datetime, *, reconcile: timedelta | None, refresh: timedelta | None
) -> Mode:
    """Return how far the next run of the service reaches.

    Polling finds what bears a new stamp. Seeing every record (``reconcile``) finds what vanished
    without a word; reading every record (``refresh``) finds computed values, which move without a
    stamp. What was never done counts from the first run, which reads everything.

    Args:
        sweeps: when that was done last.
        now: the time.
        reconcile: how often to see every record; None: never.
        refresh: how often to read every record; None: never.
    """
    refreshed = sweeps.refreshed or sweeps.first
    reconciled = sweeps.reconciled or sweeps.first
    if refresh is not None and refreshed is not None and now - refreshed >= refresh:
        return Mode.FULL
    if reconcile is not None and reconciled is not None and now - reconciled >= reconcile:
        return Mode.RECONCILE
    return Mode.INCREMENTAL
