"""Ids for what occurs again and again: objects, fields, actors. Made on first sight."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from crmtrail.model import Actor, ActorKind
from snapshot.entries import actor_key


def known_object(connection: Connection, source: str, name: str) -> int | None:
    """Return the id of an object, if it was ever seen."""
    found: int | None = connection.exec_driver_sql(
        "SELECT object_id FROM object WHERE source = ? AND name = ?", (source, name)
    ).scalar()
    return found


def object_id(connection: Connection, source: str, name: str) -> int:
    """Return the id of an object, made with its position where it is new."""
    found = known_object(connection, source, name)
    if found is None:
        found = _next_id(connection, "object", "object_id")
        connection.exec_driver_sql("INSERT INTO object VALUES (?, ?, ?)", (found, source, name))
        connection.exec_driver_sql(
            "INSERT INTO position (object_id, fence, live, dead, versions) VALUES (?, 0, 0, 0, 0)",
            (found,),
        )
    return found


def field_ids(connection: Connection, object_: int, names: Iterable[str]) -> Mapping[str, int]:
    """Return the ids of fields of one object, made where they are new."""
    wanted = sorted(set(names))
    found: dict[str, int] = dict(
        connection.exec_driver_sql(
            "SELECT f.name, f.field_id FROM json_each(?) AS j "
            "CROSS JOIN field AS f ON f.object_id = ? AND f.name = j.value",
            (json.dumps(wanted), object_),
        ).all()
    )
    first = _next_id(connection, "field", "field_id") if len(found) < len(wanted) else 0
    new = [(first + no, object_, n) for no, n in enumerate(n for n in wanted if n not in found)]
    if new:
        connection.exec_driver_sql("INSERT INTO field VALUES (?, ?, ?)", new)
    return found | {name: id_ for id_, _, name in new}


def actor_ids(connection: Connection, actors: Iterable[Actor]) -> Mapping[Actor, int]:
    """Return the ids of actors, made where they are new."""
    wanted = {actor_key(actor): actor for actor in actors}
    found: dict[str, int] = dict(
        connection.exec_driver_sql(
            "SELECT a.key, a.actor_id FROM json_each(?) AS j "
            "CROSS JOIN actor AS a ON a.key = j.value",
            (json.dumps(list(wanted)),),
        ).all()
    )
    first = _next_id(connection, "actor", "actor_id") if len(found) < len(wanted) else 0
    new = [
        (first + no, key, str(who.kind), who.id, who.name, who.via, who.why)
        for no, (key, who) in enumerate((k, a) for k, a in wanted.items() if k not in found)
    ]
    if new:
        connection.exec_driver_sql("INSERT INTO actor VALUES (?, ?, ?, ?, ?, ?, ?)", new)
    ids = found | {row[1]: row[0] for row in new}
    return {actor: ids[key] for key, actor in wanted.items()}


def actor_of(columns: Sequence[Any]) -> Actor:
    """Return the actor of a row's columns kind, ext_id, name, via and why."""
    kind, id_, name, via, why = columns
    return Actor(ActorKind(kind), id_, name, via, why)


def _next_id(connection: Connection, table: str, column: str) -> int:
    found = connection.exec_driver_sql(f"SELECT max({column}) FROM {table}").scalar()  # noqa: S608 -- both names are ours
    return 1 if found is None else int(found) + 1
