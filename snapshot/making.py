"""Everything that a database holds for a store, made afresh: tables, guards, views."""

from sqlalchemy import Connection
from sqlmodel import SQLModel

from snapshot import guards, tables, triggers, views

_TABLES = [getattr(tables, name) for name in tables.__all__]
_SERVER = "postgresql"
_UNCOUNTED = {
    **triggers.FORGETFUL,
    "incident": ("title", "why", "fields", "evidence"),
    "operation": ("tallies",),
    "plan_step": tuple(triggers.BLANKS),
}
"""Columns of whose values PostgreSQL keeps no statistics: these would outlive what is forgotten."""


def create_all(connection: Connection) -> None:
    """Make every table, guard and view: what the migrations have to add up to."""
    SQLModel.metadata.create_all(connection, [each.__table__ for each in _TABLES])
    guard_all(connection)
    view_all(connection)


def guard_all(connection: Connection) -> None:
    """Make what refuses changes of history."""
    if connection.dialect.name == _SERVER:
        guards.guard(connection)
        for table, columns in _UNCOUNTED.items():
            for column in columns:
                guards.run(
                    connection, f'ALTER TABLE "{table}" ALTER COLUMN "{column}" SET STATISTICS 0'
                )
        return
    for table in (each.__tablename__ for each in _TABLES):
        for statement in triggers.statements(table):
            connection.exec_driver_sql(statement)


def view_all(connection: Connection) -> None:
    """Make the views for analysts."""
    dialect = connection.dialect.name
    for statement in views.statements(dialect):
        if dialect == _SERVER:
            guards.run(connection, statement)
        else:
            connection.exec_driver_sql(statement)
