"""Errors, grouped by what to do next.

::

    CrmtrailError                 one clear line, a hint, an exit code
    ├── RetryLater                nothing is wrong with us: wait and try again
    │   ├── Throttled             the vendor asks for a pause
    │   ├── Unavailable           the vendor did not answer, or answered nonsense
    │   ├── BudgetSpent           the API quota is used up; the run resumes     exit 14
    │   ├── AnchorFailed          a place outside did not take the checkpoint
    │   └── Locked                another runner has this object                exit 11
    ├── Ambiguous                 a write may or may not have landed: read before anything else
    ├── CursorLost                the vendor forgot our place: restart the slice
    ├── RecordRefused             this record only; the rest goes on
    ├── PersonNeeded              somebody has to decide or mend something
    │   ├── CredentialsRefused    the CRM refused the credentials               exit 12
    │   ├── PermissionMissing     the token may not do this
    │   ├── PlanUnfit             stale, expired or not approved                exit 13
    │   └── Doubtful              the vendor says something hard to believe
    ├── Mistake                   a command or the config is wrong              exit 2
    │   └── Unfound               no such record, plan, incident                exit 2
    └── StopAll                   going on could do harm
        ├── NoStore               no store, or one this version cannot open     exit 10
        ├── Damaged               a part of the store cannot be read
        ├── LeaseLost             another runner took over: our page is void    exit 11
        └── VerifyFailed          the ledger or the data under it was altered   exit 5
"""

from typing import ClassVar


class CrmtrailError(Exception):
    """What went wrong, in one line; ``hint`` says how to mend it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RetryLater(CrmtrailError):
    """Nothing is wrong with us: wait and try again. ``after`` is in seconds, if told."""

    def __init__(self, message: str, *, hint: str = "", after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Throttled(RetryLater):
    """The vendor asks for a pause; the request was certainly not carried out."""


class Unavailable(RetryLater):
    """The vendor did not answer, or answered nonsense. Reads may be repeated."""


class BudgetSpent(RetryLater):
    """The API quota, or the share of it we may use, is spent."""

    exit_code = 14


class AnchorFailed(RetryLater):
    """A place outside did not take the checkpoint; the next sync sends a newer one."""


class Locked(RetryLater):
    """Another runner holds the lease."""

    exit_code = 11


class Ambiguous(CrmtrailError):
    """A write may or may not have landed."""


class CursorLost(CrmtrailError):
    """The vendor no longer knows our place in a result."""


class RecordRefused(CrmtrailError):
    """The vendor refuses this record; the others go on."""


class PersonNeeded(CrmtrailError):
    """Somebody has to decide or mend something first."""


class CredentialsRefused(PersonNeeded):
    """The CRM refused the credentials."""

    exit_code = 12


class PermissionMissing(PersonNeeded):
    """The token may not do this."""


class PlanUnfit(PersonNeeded):
    """The plan is stale, expired, altered or not approved."""

    exit_code = 13


class Doubtful(PersonNeeded):
    """The vendor says something hard to believe, such as that every record is gone."""


class Mistake(CrmtrailError):
    """A command or the config is wrong."""

    exit_code = 2


class Unfound(Mistake):
    """There is no such record, plan, incident or operation."""


class StopAll(CrmtrailError):
    """Going on could do harm."""


class NoStore(StopAll):
    """There is no store, or one that this version cannot open."""

    exit_code = 10


class Damaged(StopAll):
    """A part of the store cannot be read: the disk, or somebody, spoilt it."""


class LeaseLost(StopAll):
    """Another runner took over; nothing of our page was kept."""

    exit_code = 11


class VerifyFailed(StopAll):
    """The ledger or the data under it was altered."""

    exit_code = 5
