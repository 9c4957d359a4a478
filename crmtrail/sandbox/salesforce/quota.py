"""The org's daily request allowance."""

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.tables import Tables

DEFAULT_MAX = 115_000
"""An Enterprise org with fifteen licences: 100,000 + 15 x 1,000."""
_HOUR = 3600
_WINDOW = 24


class Quota:
    """Counts requests over a rolling 24 hours."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

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
            Refusal: the allowance is used up.
        """
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
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.most}"}

    def limits(self) -> Reply:
        """Answer ``/limits``."""
        left = max(0, self.most - self.used)
        full = {
            "DailyBulkApiBatches": 15_000,
            "DailyBulkV2QueryJobs": 10_000,
            "DailyBulkV2QueryFileStorageMB": 976_562,
            "DataStorageMB": 10_240,
            "FileStorageMB": 10_240,
            "HourlyPublishedPlatformEvents": 50_000,
            "SingleEmail": 5_000,
        }
        daily = {"DailyApiRequests": {"Max": self.most, "Remaining": left}}
        return Reply.of(200, daily | {k: {"Max": v, "Remaining": v} for k, v in full.items()})
