"""The org's daily request allowance."""

from collections.abc import Callable

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.orders import Order
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.tables import Tables

DEFAULT_MAX = 115_000
"""An Enterprise org with fifteen licences: 100,000 + 15 x 1,000."""
MAX_QUERY_JOBS, MAX_BATCHES = 10_000, 15_000
"""A day's query jobs, and its batches of ingest jobs."""
_HOUR = 3600
_WINDOW = 24


class Quota:
    """Counts requests over a rolling 24 hours."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.verbs: dict[str, Callable[[Order], list[str]]] = {
            "long_transactions": self._crowd,
            "app_usage": self._tell_app,
        }

    def _crowd(self, order: Order) -> list[str]:
        self._tables.set("crowded", str(int(order.get("times", 1))))
        return []

    def _tell_app(self, order: Order) -> list[str]:
        told = f"{int(order['used'])}/{int(order['max'])}(appName={order['app']})"
        self._tables.set("app_usage", f"; per-app-api-usage={told}")
        return []

    def _hour(self) -> int:
        return int(self._tables.world.clock.now().timestamp()) // _HOUR

    @property
    def most(self) -> int:
        """The allowance."""
        return int(self._tables.setting("quota_max", str(DEFAULT_MAX)))

    @property
    def used(self) -> int:
        """Requests of the last 24 hours."""
        row = self._tables.db.execute(
            "SELECT COALESCE(SUM(used), 0) FROM sf_quota WHERE hour > ?", (self._hour() - _WINDOW,)
        ).fetchone()
        return int(row[0])

    def spend(self) -> None:
        """Count one request.

        Raises:
            Refusal: the allowance is used up, or too many long requests run at once.
        """
        crowded = int(self._tables.setting("crowded", "0"))
        if crowded > 0:
            self._tables.set("crowded", str(crowded - 1))
            raise Refusal(
                "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", status=403
            )
        if self.used >= self.most:
            raise Refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        self._tables.db.execute(
            "INSERT INTO sf_quota VALUES (?, 1) ON CONFLICT(hour) DO UPDATE SET used = used + 1",
            (self._hour(),),
        )

    def set(self, *, most: int | None = None, used: int | None = None) -> None:
        """Set the allowance, what is used of it, or both."""
        if most is not None:
            self._tables.set("quota_max", str(most))
        if used is not None:
            self._tables.db.execute("DELETE FROM sf_quota")
            self._tables.db.execute("INSERT INTO sf_quota VALUES (?, ?)", (self._hour(), used))

    def header(self) -> dict[str, str]:
        """Return the header every answer carries."""
        mine = self._tables.setting("app_usage")
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.most}{mine}"}

    def limits(self) -> Reply:
        """Answer ``/limits``."""
        left = max(0, self.most - self.used)
        full = {
            "DailyBulkV2QueryFileStorageMB": 976_562,
            "DataStorageMB": 10_240,
            "FileStorageMB": 10_240,
            "HourlyPublishedPlatformEvents": 50_000,
            "SingleEmail": 5_000,
        }
        daily = {"DailyApiRequests": {"Max": self.most, "Remaining": left}}
        jobs = int(self._tables.setting("bulk_most_query_jobs", str(MAX_QUERY_JOBS)))
        since = self._tables.world.clock.now().timestamp() - _WINDOW * _HOUR
        begun, batches = self._tables.db.execute(
            "SELECT COALESCE(SUM(kind = 'query'), 0),"
            " COALESCE(SUM(json_extract(own, '$.batches')), 0) FROM sf_job WHERE created > ?",
            (since,),
        ).fetchone()
        most = int(self._tables.setting("bulk_most_batches", str(MAX_BATCHES)))
        daily["DailyBulkApiBatches"] = {"Max": most, "Remaining": max(0, most - batches)}
        daily["DailyBulkV2QueryJobs"] = {"Max": jobs, "Remaining": max(0, jobs - begun)}
        return Reply.of(200, daily | {k: {"Max": v, "Remaining": v} for k, v in full.items()})
