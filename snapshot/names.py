"""Ids for what occurs again and again: objects, fields, actors. Made on first sight."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from secrets import token_bytes
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.model import Actor, ActorKind, readable
from snapshot.entries import actor_key, who_digest

_SALT: Final = 16


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
    wanted = list(dict.fromkeys(names))
    found: dict[str, int] = dict(
        connection.exec_driver_sql(
            "SELECT f.name, f.field_id FROM json_each(?) AS t "
            "CROSS JOIN field AS f ON f.object_id = ? AND f.name = t.value",
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
    return {actor: found.id for actor, found in actors_of(connection, actors).items()}


class Known(NamedTuple):
    """An actor as entries name it: by its id here, and the digest of all that is known of it."""

    id: int
    digest: bytes


def actors_of(connection: Connection, actors: Iterable[Actor]) -> Mapping[Actor, Known]:
    """Return actors as they are stored, made where they are new.

    An erased user is stored without a name, however often the CRM tells it again.
    """
    asked = list(actors)
    found = _known(connection, map(actor_key, asked))
    new = [actor for actor in asked if actor_key(actor) not in found]
    stored = _nameless(connection, new)
    if stored:
        found |= _known(connection, map(actor_key, stored.values()))
    wanted = {actor: stored.get(actor, actor) for actor in asked}
    _make(connection, wanted.values(), found)
    return {actor: found[actor_key(who)] for actor, who in wanted.items()}


def _known(connection: Connection, keys: Iterable[str]) -> dict[str, Known]:
    rows = connection.exec_driver_sql(
        "SELECT a.key, a.actor_id, a.digest FROM json_each(?) AS t "
        "CROSS JOIN actor AS a ON a.key = t.value",
        (json.dumps(list(dict.fromkeys(keys))),),
    )
    return {key: Known(id_, bytes(digest)) for key, id_, digest in rows}


def _nameless(connection: Connection, actors: Sequence[Actor]) -> Mapping[Actor, Actor]:
    """Return, for those users among some actors that were erased, what is stored of them."""
    users = [who for who in actors if who.kind is ActorKind.USER and who.name is not None]
    if not users:
        return {}
    erased = connection.exec_driver_sql(
        "SELECT a.ext_id FROM json_each(?) AS t CROSS JOIN actor AS a"
        " ON a.kind = 'user' AND a.ext_id = t.value WHERE a.key IS NULL",
        (json.dumps([who.id for who in users if who.id is not None]),),
    )
    gone = set(erased.scalars())
    return {who: replace(who, name=None) for who in users if who.id in gone}


def _make(connection: Connection, actors: Iterable[Actor], found: dict[str, Known]) -> None:
    """Make the actors that are not known yet, and note them."""
    wanted = {actor_key(actor): actor for actor in actors}
    lacking = [key for key in wanted if key not in found]
    first = _next_id(connection, "actor", "actor_id") if lacking else 0
    new: list[tuple[Any, ...]] = []
    for no, key in enumerate(lacking, start=first):
        who, salt = wanted[key], token_bytes(_SALT)
        found[key] = Known(no, who_digest(salt, key))
        named = map(_plain, (who.id, who.name, who.via, who.why))
        new.append((no, key, str(who.kind), *named, salt, found[key].digest))
    if new:
        connection.exec_driver_sql(
            "INSERT INTO actor (actor_id, key, kind, ext_id, name, via, why, salt, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            new,
        )


def _plain(text: str | None) -> str | None:
    """Return a text that both databases can hold: no NUL, no half of a pair. The key keeps them."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return readable(text).replace("\0", "\ufffd")


def actor_of(columns: Sequence[Any]) -> Actor:
    """Return the actor of a row's columns kind, ext_id, name, via and why."""
    return _actor(*columns)


@lru_cache(maxsize=4096)
def _actor(kind: str, id_: str | None, name: str | None, via: str | None, why: str | None) -> Actor:
    return Actor(ActorKind(kind), id_, name, via, why)


def _next_id(connection: Connection, table: str, column: str) -> int:
    found = connection.exec_driver_sql(f"SELECT max({column}) FROM {table}").scalar()  # noqa: S608 -- both names are ours
    return 1 if found is None else int(found) + 1
