"""What a PostgreSQL database itself refuses: changing history. Equal to `snapshot.triggers`.

Values are forgotten through one door: a row in the table ``door``, as on SQLite, or the setting
``crmtrail.door`` of a transaction. Triggers guard against our own mistakes; against somebody who
owns the tables there is the ledger.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from snapshot.database import AS_WRITTEN
from snapshot.triggers import (
    BLANKS,
    DIGESTS,
    FORGETFUL,
    FORGOTTEN_STEP,
    INSERT_ONLY,
    STEP_END,
    STEP_TERMS,
)

DOOR: Final = "crmtrail.door"
"""The setting that lets values be forgotten while it is ``open``."""

FUNCTION: Final = """
CREATE OR REPLACE FUNCTION crmtrail_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  vals text[] := string_to_array(TG_ARGV[1], ',');
  gone text[] := string_to_array(TG_ARGV[2], ',');
  blank jsonb := coalesce(TG_ARGV[3], '{}')::jsonb;
  said text[] := ARRAY(SELECT jsonb_object_keys(coalesce(TG_ARGV[3], '{}')::jsonb));
  was jsonb;
  is_now jsonb;
BEGIN
  IF TG_OP = 'UPDATE' AND TG_NARGS >= 3
     AND (current_setting('crmtrail.door', true) = 'open' OR EXISTS (SELECT FROM door)) THEN
    was := to_jsonb(OLD);
    is_now := to_jsonb(NEW);
    IF was - vals - gone - said = is_now - vals - gone - said
       AND NOT EXISTS (SELECT FROM unnest(said) AS s(name)
         WHERE is_now ->> name IS DISTINCT FROM blank ->> name
           AND is_now ->> name IS DISTINCT FROM was ->> name)
       AND NOT EXISTS (SELECT FROM unnest(vals) AS v(name)
         WHERE is_now ->> name IS NOT NULL AND is_now ->> name IS DISTINCT FROM was ->> name)
       AND NOT EXISTS (SELECT FROM unnest(gone) AS g(name)
         WHERE was ->> name IS NOT NULL AND is_now ->> name IS DISTINCT FROM was ->> name)
    THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION USING
    ERRCODE = 'integrity_constraint_violation',
    MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0];
END $$
"""
"""Refuses what it is called for; goes before the triggers.

``TG_ARGV[0]`` says why. While the door is open the columns of ``TG_ARGV[1]`` may become NULL, and
those of ``TG_ARGV[2]`` may be set where they were NULL; ``TG_ARGV[3]`` is a JSON object of columns
and of the fixed texts that they may become.
"""

_REMOVED: Final = "rows are never removed"
_GROWN: Final = (
    "WHEN (OLD.level <> NEW.level OR OLD.idx <> NEW.idx"
    " OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes) "
)
_SETTLED: Final = "WHEN (OLD.state = 'settled') "
_AGAIN: Final = "WHEN (OLD.leaf <> NEW.leaf OR OLD.at <> NEW.at OR OLD.finished IS NOT NULL) "
_GUARDED: Final = (*INSERT_ONLY, *FORGETFUL, "erasure", "tile", "plan_step")


def statements(table: str) -> Iterator[str]:
    """Yield the CREATE TRIGGER statements of one table; none for most.

    `FUNCTION` has to be there already. Statements are to be run as they are written, see `run`.
    """
    if table in INSERT_ONLY:
        yield _refusal(table, "update", "UPDATE", "rows are never changed")
    if table in FORGETFUL:
        values, digests = ",".join(FORGETFUL[table]), ",".join(DIGESTS.get(table, ()))
        yield _refusal(table, "update", "UPDATE", "rows are never changed", "", values, digests)
    if table == "tile":
        yield _refusal(table, "update", "UPDATE", "hashes are only ever added", _GROWN)
    if table == "plan_step":
        terms, end = _columns(STEP_TERMS), _columns(STEP_END)
        forgetful = (",".join(FORGOTTEN_STEP), "", json.dumps(BLANKS))
        why = "what a step does never changes"
        yield _refusal(table, "terms", f"UPDATE OF {terms}", why, "", *forgetful)
        why = "a settled step never changes"
        yield _refusal(table, "settled", f"UPDATE OF {end}", why, _SETTLED, *forgetful)
    if table == "erasure":
        yield _refusal(table, "update", "UPDATE", "an erasure ends once", _AGAIN)
    if table in _GUARDED:
        yield _refusal(table, "delete", "DELETE", _REMOVED)
        yield _refusal(table, "truncate", "TRUNCATE", _REMOVED)


def guard(connection: Connection) -> None:
    """Make the function and the triggers of all tables, which have none yet."""
    run(connection, FUNCTION)
    for table in _GUARDED:
        for statement in statements(table):
            run(connection, statement)


def run(connection: Connection, statement: str) -> None:
    """Run a statement that is PostgreSQL's own."""
    connection.exec_driver_sql(statement.replace("%", "%%"), execution_options={AS_WRITTEN: True})


@contextmanager
def open_door(connection: Connection) -> Iterator[None]:
    """Let values be forgotten inside, at most to the end of the transaction."""
    run(connection, f"SET LOCAL {DOOR} = 'open'")
    yield
    # After an error the transaction is over, and the setting with it.
    run(connection, f"SET LOCAL {DOOR} = ''")


def _columns(listed: str) -> str:
    return ", ".join(f'"{name.strip()}"' for name in listed.split(","))


def _refusal(
    table: str, suffix: str, occasion: str, why: str, condition: str = "", *forgetful: str
) -> str:
    level = "STATEMENT" if occasion == "TRUNCATE" else "ROW"
    said = ", ".join(f"'{each}'" for each in (why, *forgetful))
    return (
        f"CREATE TRIGGER {table}_never_{suffix} BEFORE {occasion} ON {table}"
        f" FOR EACH {level} {condition}EXECUTE FUNCTION crmtrail_refuse({said})"
    )
