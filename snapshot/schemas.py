"""Schemas in SQL, as JSON, one row whenever the vendor's metadata changed."""

import json
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import Connection

from crmtrail.model import Schema, utc
from snapshot.leaves import seal
from snapshot.names import known_object, object_id
from snapshot.times import micros

SCHEMA: Final = "schema"
"""The kind of the entry that a schema gets when it is first seen."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def learn(connection: Connection, schema: Schema, at: datetime) -> bool:
    """Keep a schema where it differs from the newest one; return whether it does."""
    schema = replace(schema, fields=dict(schema.fields))
    object_ = object_id(connection, schema.source, schema.object)
    if newest_schema(connection, object_) == schema:
        return False
    document = document_of(schema)
    connection.exec_driver_sql(
        "INSERT INTO schema_version (object_id, at, document) VALUES (?, ?, ?)",
        (object_, micros(utc(at)), document),
    )
    seal(connection, SCHEMA, schema_entry(schema.source, schema.object, document), at)
    return True


def document_of(schema: Schema) -> str:
    """Return a schema as it is stored."""
    return _ENCODER.encode(replace(schema, fields=dict(schema.fields))).decode()


def schema_entry(source: str, object_: str, document: str) -> dict[str, str]:
    """Return the ledger entry of a schema."""
    return {
        "source": source,
        "object": object_,
        "schema": sha256(document.encode("utf-8", "surrogatepass")).hexdigest(),
    }


def first_altered(connection: Connection) -> str | None:
    """Return which stored schema is not what was sealed; None where all are."""
    sealed = connection.exec_driver_sql(
        "SELECT entry FROM leaf WHERE kind = 'schema' ORDER BY idx"
    ).scalars()
    stored = connection.exec_driver_sql(
        "SELECT s.schema_id, o.source, o.name, s.document FROM schema_version AS s"
        " LEFT JOIN object AS o ON o.object_id = s.object_id ORDER BY s.schema_id"
    )
    told = [json.loads(bytes(entry))["entry"] for entry in sealed]
    rows = stored.all()
    for (id_, source, object_, document), entry in zip(rows, told, strict=False):
        if schema_entry(source, object_, document) != entry:
            return f"schema {id_} is not what was sealed"
    if len(rows) != len(told):
        return f"{len(rows)} schemas, but {len(told)} were sealed"
    return None


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
