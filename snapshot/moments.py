"""Whose clock a store goes by, where more than one process looks at it."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from snapshot.database import AS_WRITTEN
from snapshot.times import at_micros

_SERVER_TIME: Final = (
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"  # moves inside transactions
)


def store_time(connection: Connection, now: datetime) -> datetime:
    """Return what time it is for leases: ``now`` in a file of this host, else the server's time."""
    if connection.dialect.name == "sqlite":
        return now
    moment: int = connection.exec_driver_sql(
        _SERVER_TIME, execution_options={AS_WRITTEN: True}
    ).scalar_one()
    return at_micros(moment)
