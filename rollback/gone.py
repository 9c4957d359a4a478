"""Say what can be done about a record that is no longer live. Pure."""

from datetime import datetime
from typing import Final

from crmtrail.model import Loss
from crmtrail.ports import Head
from rollback.meaning import spoken

_ANEW: Final = "under another id and without its history"
_PLAN: Final = "`crmtrail plan --record ... --at ...` does that"


def ways_back(head: Head, crm: str, now: datetime | None = None) -> str:
    """Return why a deleted record is not put back, and which ways there are.

    Args:
        head: the record as last stored.
        crm: the vendor, as people call it.
        now: the time; a recycle bin may have let the record go meanwhile.
    """
    gone = head.departure
    match None if gone is None else gone.loss:
        case Loss.MERGED:
            into = f" into {gone.merged_into}" if gone and gone.merged_into else ""
            return (
                f"the record was merged{into}; put back there what belongs to it; "
                "`crmtrail plan --record ... --at ...` brings it back as a record of its own"
            )
        case Loss.FORGOTTEN:
            return f"{crm} deleted the person for privacy: it is never restored"
        case Loss.PURGED:
            return f"the record is gone for good: it can only be made anew, {_ANEW}; {_PLAN}"
        case Loss.VANISHED:
            return (
                f"the record vanished, and {crm} does not say how: look into its recycle bin, or "
                f"make it anew, {_ANEW}; {_PLAN}"
            )
    return f"the record is deleted: {_in_the_bin(head, crm, now)}; {_PLAN}"


def taken_away(crm: str) -> str:
    """Return why something is not put back that no recycle bin keeps, such as an association."""
    return f"it was taken away in {crm}, and no recycle bin keeps it: make it again; {_PLAN}"


def _in_the_bin(head: Head, crm: str, now: datetime | None) -> str:
    until = None if head.departure is None else head.departure.restorable_until
    anew = f"make it anew, {_ANEW}"
    if until is None:
        return f"restore it in {crm}'s own recycle bin, if it lies there, or {anew}"
    if now is not None and now >= until:
        return f"{crm}'s recycle bin kept it until {spoken(until)}, so {anew}"
    return (
        f"restore it in {crm}'s own recycle bin, until {spoken(until)} (it keeps its id), or {anew}"
    )
