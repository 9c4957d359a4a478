"""Who may run what: fenced leases in the store.

The fence is the guarantee: the store checks it inside each page's transaction. The rest only
saves work, so that two runners seldom meet.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine

from crmtrail.model import Lease
from crmtrail.ports import Clock
from snapshot.database import writing
from snapshot.holders import still_runs, this_process
from snapshot.moments import store_time
from snapshot.times import at_micros, micros

__all__ = ["SqlLeases", "still_runs", "this_process"]


class SqlLeases:
    """`crmtrail.ports.Leases` over the ``lease`` table.

    A SQLite store lives on one host, so that its clock is everybody's. Runners of a store on a
    server may be anywhere, so that the server's clock rules.

    Args:
        engine: the engine of the open store.
        clock: where the time comes from, on SQLite.
        alive: tells of a holder whether it still runs; in doubt it does.
    """

    def __init__(
        self, engine: Engine, clock: Clock, alive: Callable[[str], bool] | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._alive = alive or still_runs

    def acquire(self, source: str, object_: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, expired, or held by a dead process of this host."""
        with writing(self._engine) as connection:
            now = store_time(connection, self._clock.now())
            expires = now + ttl
            connection.exec_driver_sql(
                "INSERT INTO lease (source, object, holder, fence, expires_at)"
                " VALUES (?, ?, '', 0, 0) ON CONFLICT DO NOTHING",
                (source, object_),
            )
            held_by: str = connection.exec_driver_sql(
                "SELECT holder FROM lease WHERE source = ? AND object = ?", (source, object_)
            ).scalar_one()
            orphaned = held_by != "" and not self._alive(held_by)
            fence = connection.exec_driver_sql(
                "UPDATE lease SET holder = ?, fence = fence + 1, expires_at = ?"
                " WHERE source = ? AND object = ? AND (expires_at < ? OR ?) RETURNING fence",
                (holder, micros(expires), source, object_, micros(now), orphaned),
            ).scalar()
        return None if fence is None else Lease(source, object_, holder, fence, expires)

    def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Extend a lease still ours; None where somebody took over or it was given back."""
        with writing(self._engine) as connection:
            now = store_time(connection, self._clock.now())
            expires = connection.exec_driver_sql(
                "UPDATE lease SET expires_at = ? WHERE source = ? AND object = ?"
                " AND fence = ? AND holder = ? RETURNING expires_at",
                (
                    micros(now + ttl),
                    lease.source,
                    lease.object,
                    lease.fence,
                    lease.holder,
                ),
            ).scalar()
        if expires is None:
            return None
        return Lease(lease.source, lease.object, lease.holder, lease.fence, at_micros(expires))

    def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still ours."""
        with writing(self._engine) as connection:
            connection.exec_driver_sql(
                "UPDATE lease SET holder = '', expires_at = 0 WHERE source = ? AND object = ?"
                " AND fence = ? AND holder = ?",
                (lease.source, lease.object, lease.fence, lease.holder),
            )
