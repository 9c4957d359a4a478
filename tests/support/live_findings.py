"""What a live run learns about the assumptions of the connector, told as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final


class Ruling(StrEnum):
    """What a live org says of an assumption."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OPEN = "open"


@dataclass(frozen=True)
class Assumption:
    """What the connector takes for granted, without having seen it on a real org."""

    name: str
    text: str


ASSUMPTIONS: Final = {
    one.name: one
    for one in (
        Assumption("412", "If-Unmodified-Since older than the last edit: 412, nothing written"),
        Assumption("412-body", "the body of a 412 is a list with errorCode PRECONDITION_FAILED"),
        Assumption("412-second", "If-Unmodified-Since equal to the stamp's second lets a write by"),
        Assumption("412-composite", "If-Unmodified-Since works in a PATCH inside a composite"),
        Assumption("412-stamp", "If-Unmodified-Since looks at LastModifiedDate"),
        Assumption("logins", "LoginHistory reaches back about 6 months over the API"),
        Assumption("deleted-days", "getDeleted reaches back 15 days, not 30"),
        Assumption("quota", "/limits tells DailyApiRequests to this identity"),
        Assumption("undelete-most", "undelete takes 200 ids in one call, not 201"),
        Assumption("undelete-stamps", "an undelete moves SystemModstamp"),
        Assumption("get-deleted", "GET of a record in the bin: 404 ENTITY_IS_DELETED"),
        Assumption("empty-text", "an empty text is stored as null"),
        Assumption("compare", "SOQL compares texts without regard to case"),
        Assumption("nulls-first", "nulls sort first where nothing is said"),
        Assumption("delete-many", "DELETE composite/sobjects?ids=... deletes several records"),
        Assumption("failed-no-id", "a failed row of a collection has no id and a statusCode"),
        Assumption("mru", "Sforce-Mru: updateMru=false is accepted on a write"),
        Assumption("bulk-datetime", "moments in Bulk CSV are written 2026-01-31T10:00:00.000Z"),
        Assumption("bulk-order", "rows of a Bulk query keep its ORDER BY"),
        Assumption("bulk-locator", "Sforce-Locator of the last Bulk page is the text null"),
        Assumption("ingest-null", "Bulk ingest: #N/A clears a field, an empty value leaves it"),
        Assumption("ingest-order", "Bulk ingest: results come in the order of the upload"),
        Assumption("client-name", "LoginHistory.Application does not show our client name"),
    )
}
"""From section 20 of the facts that the connector is built on, and from what its texts mark."""

UNTRIED: Final = (
    "the purge of the delete log",
    "the life of a query locator and of a token",
    "the base allocation of API calls by edition",
    "the largest field and upload of the Bulk API",
    "the retention of OpportunityHistory and of event log objects",
    "whether deleted permission set assignments leave a trace",
    "the HTTP status of UNABLE_TO_LOCK_ROW, of validation rules, access refusals and timeouts",
    "graphs past 500 nodes, Change Data Capture and Pub/Sub limits",
    "the texts of SetupAuditTrail",
)
"""What a run on three contacts cannot show."""


@dataclass(frozen=True)
class Finding:
    """How one assumption stood the test, and what was seen."""

    ruling: Ruling
    seen: str


@dataclass
class Findings:
    """What was found so far, by assumption; the first word on one counts."""

    circumstances: dict[str, str] = field(default_factory=dict)
    found: dict[str, Finding] = field(default_factory=dict)
    assumptions: Mapping[str, Assumption] = field(default_factory=lambda: ASSUMPTIONS)
    untried: Sequence[str] = UNTRIED
    crm: str = "Salesforce"

    def note(self, name: str, ruling: Ruling | bool, seen: str) -> None:
        """Note how an assumption stood. ``True`` is confirmed, ``False`` refuted.

        Raises:
            KeyError: there is no such assumption.
        """
        if isinstance(ruling, bool):
            ruling = Ruling.CONFIRMED if ruling else Ruling.REFUTED
        self.found.setdefault(self.assumptions[name].name, Finding(ruling, seen))

    def table(self) -> str:
        """Return all assumptions as a Markdown table; those that were not reached are open."""
        rows = [(one.text, *self._told(one.name)) for one in self.assumptions.values()]
        header = ("assumption", "ruling", "what was seen")
        widths = [max(len(row[no]) for row in (header, *rows)) for no in range(len(header))]
        rule = tuple("-" * width for width in widths)
        return "\n".join(
            "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
            for row in (header, rule, *rows)
        )

    def write(self, file: Path) -> None:
        """Write the whole report."""
        told = "\n".join(f"- {name}: {value}" for name, value in self.circumstances.items())
        untried = "\n".join(f"- {one}" for one in self.untried)
        file.write_text(
            f"# Live run against {self.crm}\n\n{told}\n\n{self.table()}\n\n"
            f"Not tried, since three contacts cannot show it:\n\n{untried}\n",
            encoding="utf-8",
        )

    def _told(self, name: str) -> tuple[str, str]:
        found = self.found.get(name, Finding(Ruling.OPEN, "not reached in this run"))
        return str(found.ruling), " ".join(found.seen.replace("|", "/").split())[:200]
