"""What was announced, kept in the ledger alone: nobody can add or change it unseen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.errors import Unfound
from crmtrail.model import Expectation, moment, stamp
from snapshot.actions import told_by

EXPECT: Final = "expect"
WITHDRAW: Final = "expect-withdraw"
"""The kinds of their entries."""

_READ: Final = "SELECT idx, kind, entry FROM leaf WHERE kind = ? ORDER BY idx"


def expect_entry(one: Expectation) -> dict[str, Any]:
    """Return the entry of an announcement."""
    return {
        "expect": one.id,
        "source": one.source,
        "object": one.object,
        "actor": one.actor,
        "via": one.via,
        "fields": list(one.fields),
        "records": one.records,
        "since": stamp(one.since),
        "until": stamp(one.until),
        "why": one.why,
        "by": one.by,
    }


def withdraw_entry(id_: str, why: str, by: str) -> dict[str, Any]:
    """Return the entry of the end of an announcement."""
    return {"expect": id_, "why": why, "by": by}


def announced(connection: Connection) -> list[Expectation]:
    """Return what was announced and not withdrawn, oldest first."""
    rows = [
        (idx, kind, bytes(entry))
        for each in (EXPECT, WITHDRAW)
        for idx, kind, entry in connection.exec_driver_sql(_READ, (each,))
    ]
    return in_force((kind, told_by(entry)) for _, kind, entry in sorted(rows))


def in_force(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Expectation]:
    """Return what some entries, oldest first, announce and do not withdraw."""
    found: dict[str, Expectation] = {}
    for kind, told in entries:
        if kind == EXPECT:
            found[told["expect"]] = _told(told)
        else:
            found.pop(told["expect"], None)
    return list(found.values())


def _told(told: Mapping[str, Any]) -> Expectation:
    return Expectation(
        id=told["expect"],
        since=moment(told["since"]),
        until=moment(told["until"]),
        why=told["why"],
        by=told["by"],
        source=told["source"],
        object=told["object"],
        actor=told["actor"],
        via=told["via"],
        fields=tuple(told["fields"]),
        records=told["records"],
    )


def find(expected: Sequence[Expectation], id_: str) -> Expectation:
    """Return one of those in force.

    Raises:
        Unfound: it is not among them.
    """
    for one in expected:
        if one.id == id_:
            return one
    raise Unfound(
        f"nothing announced has the id {id_}, or it was withdrawn",
        hint="`crmtrail expect --list` lists what is announced",
    )
