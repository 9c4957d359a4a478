"""Schemas in SQL, as JSON, one row whenever the vendor's metadata changed."""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from sqlalchemy import Connection

from crmtrail.model import Schema, utc
from snapshot.names import known_object, object_id
from snapshot.times import micros

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def learn(connection: Connection, schema: Schema, at: datetime) -> bool:
    """Keep a schema where it differs from the newest one; return whether it does."""
    schema = replace(schema, fields=dict(schema.fields))
    object_ = object_id(connection, schema.source, schema.object)
    if newest_schema(connection, object_) == schema:
        return False
    connection.exec_driver_sql(
        "INSERT INTO schema_version (object_id, at, document) VALUES (?, ?, ?)",
        (object_, micros(utc(at)), _ENCODER.encode(schema).decode()),
    )
    return True


def newest_schema(connection: Connection, object_: int) -> Schema | None:
    """Return the newest schema of an object by its row id."""
    found = connection.exec_driver_sql(
        "SELECT document FROM schema_version WHERE object_id = ? ORDER BY schema_id DESC LIMIT 1",
        (object_,),
    ).scalar()
    return None if found is None else _decoded(found)


def schema_of(connection: Connection, source: str, object_: str) -> Schema | None:
    """Return the newest schema of an object by its name."""
    found = known_object(connection, source, object_)
    return None if found is None else newest_schema(connection, found)


@lru_cache(maxsize=64)
def _decoded(document: str) -> Schema:
    """Return the schema of a row; pages ask for the same one again and again."""
    return msgspec.json.decode(document, type=Schema)
