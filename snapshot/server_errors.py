"""What PostgreSQL and libpq say, in plain words. Pure.

Codes are PostgreSQL's SQLSTATEs (its documentation, appendix A). Where no connection came about
libpq gives only words, which may be of any language: known ones get a better hint, all are told.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import psycopg

from crmtrail.errors import CrmtrailError, Locked, NoStore, RetryLater, StopAll

_Told: TypeAlias = Callable[[str], CrmtrailError]

_BY_CODE: Final[Mapping[str, _Told]] = {
    "53100": lambda store: StopAll(
        f"the disk of the server of {store} is full",
        hint="free space there and run again: nothing kept is lost",
    ),
    "58030": lambda store: StopAll(
        f"the disk of the server of {store} failed",
        hint="check the disk and the server's log, then run `crmtrail verify`",
    ),
    "XX001": lambda store: StopAll(
        f"the server of {store} found damaged pages",
        hint="check the server's log, then run `crmtrail verify`",
    ),
    "25006": lambda store: StopAll(
        f"the store {store} can only be read: its server is a standby, or set to read only",
        hint="name the primary in store.url",
    ),
    "42501": lambda store: StopAll(
        f"the user of store.url lacks a right on {store}",
        hint="let it own the database, or GRANT it the schema and its tables",
    ),
    "53300": lambda store: RetryLater(
        f"the server of {store} takes no more connections",
        hint="wait, or raise max_connections",
    ),
    "55P03": lambda store: Locked(
        f"another process has been writing the store {store} for 30 seconds",
        hint="wait for its end, then run again",
    ),
    "40P01": lambda store: Locked(f"others got in our way in {store}", hint="run again"),
    "40001": lambda store: Locked(f"others got in our way in {store}", hint="run again"),
}
_SAME: Final[Mapping[str, str]] = {"XX002": "XX001"}
_GONE_CODES: Final = frozenset({"57P01", "57P02", "57P03", "57P05"})
_GONE_CLASS: Final = "08"
"""Connection exceptions."""
_VALUES_CLASS: Final = "22"
"""Data exceptions, which quote the value."""

_HINTS: Final[Mapping[str, str]] = {
    "does not exist": "make the database and its user first: createdb --encoding UTF8 NAME",
    "authentication failed": "check the user of store.url, and PGPASSWORD or ~/.pgpass",
    "no password supplied": "put the password into PGPASSWORD or ~/.pgpass",
    "pg_hba.conf": "let this machine and user in: pg_hba.conf on the server",
    "starting up": "wait until the server is up, then run again",
}
_ELSE: Final = "check store.url, and that the server runs and can be reached from here"


def told(
    error: BaseException, store: str, *, password: str | None = None, opening: bool = False
) -> CrmtrailError | None:
    """Return what the server says of its disk, its state or others; None for all else.

    Args:
        error: of psycopg.
        store: how to name the store.
        password: what must not be repeated, whoever said it.
        opening: whether no connection has come about yet.
    """
    if not isinstance(error, psycopg.Error):
        return None
    code = error.sqlstate or ""
    found = _BY_CODE.get(_SAME.get(code, code))
    if found is not None:
        return found(store)
    if opening:
        return _unopened(error, store, password)
    lost = not code and isinstance(error, psycopg.OperationalError)
    if lost or code in _GONE_CODES or code.startswith(_GONE_CLASS):
        return StopAll(
            f"the server of {store} went away",
            hint="check the server, then run again: nothing kept is lost",
        )
    return None


def discreet(error: psycopg.Error) -> str:
    """Return what an error says without the row or value that it is about: they are personal."""
    code = error.sqlstate or ""
    if code.startswith(_VALUES_CLASS):
        return f"a value does not fit its column (SQLSTATE {code})"
    return error.diag.message_primary or str(error).splitlines()[0]


def _unopened(error: psycopg.Error, store: str, password: str | None) -> NoStore:
    """Say why no connection came about: what the server said, else what libpq said first."""
    said = str(error).replace(password, "***") if password else str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = next((line for line in lines if "FATAL" in line), lines[0] if lines else "no answer")
    reason = why.rpartition("FATAL:")[2].strip().removeprefix("connection failed: ")
    hint = next((hint for words, hint in _HINTS.items() if words in reason), _ELSE)
    return NoStore(f"the store {store} cannot be opened: {reason}", hint=hint)
