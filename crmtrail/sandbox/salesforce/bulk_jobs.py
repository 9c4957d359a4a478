"""Bulk jobs: how they are kept, which states they walk through, how they are told."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.calls import Call, Session
from crmtrail.sandbox.salesforce.csv_text import DELIMITERS, LINE_ENDINGS
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found
from crmtrail.sandbox.salesforce.tables import Tables

KEPT = timedelta(days=7)
PATIENCE = timedelta(minutes=5)
"""How long a job may wait for somebody to poll it before it is carried out anyway."""
DONE = ("JobComplete", "Failed", "Aborted")
LISTED = 1000
_DAY = timedelta(hours=24)


@dataclass(slots=True)
class Job:
    """One job. ``told`` is what the API tells of it, ``own`` what only the sandbox knows."""

    id: str
    kind: str
    user: str
    created: float
    state: str
    told: dict[str, Any]
    own: dict[str, Any]

    @property
    def over(self) -> bool:
        """Whether it will not change any more."""
        return self.state in DONE

    @property
    def delimiter(self) -> str:
        """What stands between the columns of its CSV."""
        return DELIMITERS[self.told["columnDelimiter"]]

    @property
    def ending(self) -> str:
        """What ends the lines of its CSV."""
        return LINE_ENDINGS[self.told["lineEnding"]]

    def shown(self) -> dict[str, Any]:
        """Return the job as the API tells it."""
        return {"id": self.id, **self.told, "state": self.state}


class Jobs:
    """The jobs of the last seven days, with the lines of their results."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.db = tables.db

    def now(self) -> datetime:
        """Return the world's time."""
        return self.tables.world.clock.now()

    def number(self, name: str, default: int) -> int:
        """Return a setting of the Bulk API that is a number."""
        return int(self.tables.setting(f"bulk_{name}", str(default)))

    def open(self, call: Call, kind: str, told: dict[str, Any], own: dict[str, Any]) -> Job:
        """Start a job for the caller, in its first state."""
        (number,) = self.tables.take("bulk job")
        now = self.now()
        head = {
            "createdById": call.session.user,
            "createdDate": moments.stamp(now),
            "systemModstamp": moments.stamp(now),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(call.version),
        }
        session = call.session
        mine = {"who": [session.user, session.name, session.kind, session.reads_only], **own}
        state = "UploadComplete" if kind == "query" else "Open"
        job = Job(
            ids.numbered("750", number), kind, session.user, now.timestamp(), state,
            told | head, mine,
        )  # fmt: skip
        self.keep(job)
        return job

    def keep(self, job: Job) -> None:
        """Write a job down as it is now."""
        job.told["systemModstamp"] = moments.stamp(self.now())
        self.db.execute(
            "INSERT OR REPLACE INTO sf_job VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                job.id, job.kind, job.user, job.created, job.state,
                json.dumps(job.told), json.dumps(job.own),
            ),
        )  # fmt: skip

    def find(self, call: Call, kind: str, text: str) -> Job:
        """Return a job of the caller's.

        Raises:
            Refusal: there is none of that id, or no longer.
        """
        rows = self._rows(
            "id = ? AND kind = ? AND user = ?", (ids.normal(text), kind, call.session.user)
        )
        job = next(rows, None)
        if job is None:
            raise not_found()
        return job

    def listed(self, call: Call, kind: str) -> list[Job]:
        """Return the caller's jobs, newest first."""
        return list(
            self._rows(
                "kind = ? AND user = ? ORDER BY created DESC, id DESC", (kind, call.session.user)
            )
        )

    def waiting(self) -> list[Job]:
        """Return the jobs that nobody has polled for so long that they are carried out anyway."""
        limit = (self.now() - PATIENCE).timestamp()
        return [
            job
            for job in self._rows("state IN ('UploadComplete', 'InProgress')", ())
            if job.own.get("ready", job.created) <= limit
        ]

    def _rows(self, where: str, values: Iterable[Any]) -> Iterator[Job]:
        found = self.db.execute(
            f"SELECT id, kind, user, created, state, told, own FROM sf_job WHERE {where}",
            tuple(values),
        ).fetchall()
        for row in found:
            id_, kind, user, created, state, told, own = row
            yield Job(id_, kind, user, created, state, json.loads(told), json.loads(own))

    def lately(self, kind: str) -> list[Job]:
        """Return the jobs of the org's last 24 hours."""
        since = (self.now() - _DAY).timestamp()
        return list(self._rows("kind = ? AND created > ?", (kind, since)))

    def delete(self, job: Job) -> None:
        """Remove a job and its results.

        Raises:
            Refusal: it is not over.
        """
        if not job.over and job.state != "Open":
            raise wrong_state(job, "deleted")
        self._remove(job.id)

    def _remove(self, id_: str) -> None:
        self.db.execute("DELETE FROM sf_job WHERE id = ?", (id_,))
        self.db.execute("DELETE FROM sf_job_line WHERE job = ?", (id_,))

    def forget_old(self) -> None:
        """Remove what is older than seven days."""
        limit = (self.now() - KEPT).timestamp()
        for (id_,) in self.db.execute(
            "SELECT id FROM sf_job WHERE created < ?", (limit,)
        ).fetchall():
            self._remove(id_)

    def add_lines(self, job: Job, part: str, lines: Iterable[str]) -> None:
        """Add lines to a part of a job's results."""
        self.db.executemany(
            "INSERT INTO sf_job_line(job, part, line) VALUES (?, ?, ?)",
            ((job.id, part, told) for told in lines),
        )

    def lines(self, job: Job, part: str, start: int = 0, most: int = -1) -> list[str]:
        """Return lines of a part of a job's results."""
        found = self.db.execute(
            "SELECT line FROM sf_job_line WHERE job = ? AND part = ? ORDER BY seq LIMIT ? OFFSET ?",
            (job.id, part, most, start),
        )
        return [row[0] for row in found]

    def owner(self, job: Job) -> Session:
        """Return the user who started a job, as the one who carries it out."""
        user, name, kind, reads_only = job.own["who"]
        return Session("", user, name, kind, reads_only)

    def advance(self, job: Job) -> str:
        """Count a poll and return the state the job is to be in."""
        left = job.own["polls"]
        if left <= 0:
            return "JobComplete"
        job.own["polls"] = left - 1
        if job.state == "UploadComplete" and left > 1 and not job.own.get("seen"):
            job.own["seen"] = True
            return "UploadComplete"
        return "InProgress"


def wrong_state(job: Job, verb: str) -> Refusal:
    """Make the refusal for what cannot be done to a job in its state."""
    return Refusal("INVALIDJOBSTATE", f"The job is in state {job.state} and cannot be {verb}")


def layout(order: dict[str, Any]) -> dict[str, str]:
    """Return delimiter and line ending of a new job's CSV.

    Raises:
        Refusal: something else than the API knows.
    """
    chosen = {
        "lineEnding": (order.get("lineEnding", "LF"), LINE_ENDINGS),
        "columnDelimiter": (order.get("columnDelimiter", "COMMA"), DELIMITERS),
        "contentType": (order.get("contentType", "CSV"), ("CSV",)),
    }
    for name, (value, known) in chosen.items():
        if value not in known:
            raise Refusal("INVALIDJOB", f"Unsupported {name}: {value}")
    return {name: str(value) for name, (value, _) in chosen.items()}


def listed(call: Call, jobs: list[Job], kind: str) -> Reply:
    """Answer with a page of a list of jobs.

    Raises:
        Refusal: a locator that no page has told.
    """
    start = offset(call.request.one("queryLocator"), len(jobs))
    more = start + LISTED < len(jobs)
    onward = f"{call.base}/jobs/{kind}?queryLocator={locator(start + LISTED)}"
    return Reply.of(
        200,
        {
            "done": not more,
            "records": [job.shown() for job in jobs[start : start + LISTED]],
            "nextRecordsUrl": onward if more else None,
        },
    )


def locator(place: int) -> str:
    """Return the locator of a place in a list."""
    return base64.b64encode(str(place).encode()).decode().rstrip("=")


def offset(told: str | None, rows: int) -> int:
    """Return the place a locator names; without one, the beginning.

    Raises:
        Refusal: a locator that no page has told.
    """
    if told is None:
        return 0
    try:
        place = int(base64.b64decode(told + "=" * (-len(told) % 4), validate=True))
    except (binascii.Error, ValueError):
        place = 0
    if not 0 < place < rows:
        raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
    return place
