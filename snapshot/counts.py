"""The vendor's own count of live records, held against what is stored. Pure."""

from datetime import datetime
from typing import Final

from crmtrail.model import Gap, Op

COMING_AND_GOING: Final = (Op.BASELINE, Op.CREATE, Op.DELETE, Op.UNDELETE, Op.MERGE)
"""What can move a count: a first sight may be of a record made after the vendor counted."""


def settled(expected: int, held: int, moved: int) -> bool:
    """Return whether the two counts say anything of each other.

    ``moved`` records came or went while the run went on, before or after the vendor counted. A
    difference that they can explain proves nothing; one run later they are counted by both.
    """
    difference = abs(expected - held)
    return difference == 0 or difference > moved


def shortfall(object_: str, expected: int, held: int, at: datetime | None) -> Gap | None:
    """Return the difference as a gap in words; None where the counts agree.

    Args:
        object_: the object's name.
        expected: the vendor's count of live records.
        held: the live records that are stored.
        at: when the vendor counted.
    """
    if expected == held:
        return None
    counted = f"the CRM counts {expected} live records, the store holds {held}"
    if held > expected:
        several = held - expected > 1
        told = (
            f"{held - expected} {'were' if several else 'was'} not returned; "
            f"{'they' if several else 'it'} may be erased or hidden from the token"
        )
    else:
        several = expected - held > 1
        told = f"{expected - held} {'are' if several else 'is'} missing from the store"
    return Gap(object_, None, at, f"{counted}: {told}")
