"""Writing the rows of an ingest job, by the same rules as rows over REST."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmtrail.sandbox.http import Request
from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.bulk_jobs import Job, Jobs
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.csv_text import BadCsv, line
from crmtrail.sandbox.salesforce.csv_values import from_text
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.refusal import Refusal, busy
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import table
from crmtrail.sandbox.salesforce.validate import Values
from crmtrail.sandbox.salesforce.visibility import Visibility

_CHUNK = 200
_KEYED = ("update", "delete", "hardDelete")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a field, or a lookup named by a key field of its parent."""

    field: Field
    parent: SObject | None = None
    key: Field | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a job mean, in their order."""

    sobject: SObject
    listed: tuple[Column, ...]


class BulkRows:
    """Writes rows as the user who started the job."""

    def __init__(self, jobs: Jobs, editing: Editing, visibility: Visibility) -> None:
        self._jobs = jobs
        self._editing = editing
        self._tables = editing.tables
        self._visibility = visibility

    def _call(self, job: Job) -> Call:
        session = self._jobs.owner(job)
        # Assignment rules run only if the job names one; no other header reaches the rows.
        headers = {} if job.own["assigning"] else {"sforce-auto-assign": "FALSE"}
        view = self._visibility.view(session.user, reads_only=session.reads_only)
        return Call(Request("POST", "", (), headers, b""), session, view, job.own["version"], ())

    def columns(self, job: Job) -> Columns:
        """Return what a job's header means.

        Raises:
            BadCsv: a column that is no field, or twice the same.
        """
        call, sobject = self._call(job), self._tables.schema.objects[job.told["object"]]
        found: list[Column] = []
        for name in job.own["columns"]:
            column = self._column(call, sobject, name)
            if column is None:
                raise BadCsv(f"Field name not found : {name}")
            if column.field in [item.field for item in found]:
                raise BadCsv(f"Field name is given twice : {name}")
            found.append(column)
        deleting = job.told["operation"] in ("delete", "hardDelete")
        if deleting and [item.field.type for item in found] != ["id"]:
            raise BadCsv("A delete wants the column Id and no other")
        key = job.told.get("externalIdFieldName")
        if key and key not in [item.field.name for item in found]:
            raise BadCsv(f"Field name not found : {key}")
        return Columns(sobject, tuple(found))

    def _column(self, call: Call, sobject: SObject, name: str) -> Column | None:
        step, _, rest = name.partition(".")
        if not rest:
            field = call.view.field(sobject, name)
            return None if field is None else Column(field)
        lookup = sobject.by_relationship.get(step.lower())
        for target in lookup.refers if lookup else ():
            parent = self._tables.schema.objects[target]
            key = call.view.field(parent, rest)
            if lookup and key and key.external:
                return Column(lookup, parent, key)
        return None

    def write(self, job: Job, columns: Columns, start: int, rows: Sequence[list[str]]) -> None:
        """Write rows, of which the first is the job's row number ``start``."""
        call = self._call(job)
        good: list[list[str]] = []
        bad: list[list[str]] = []
        for at in range(0, len(rows), _CHUNK):
            with self._editing.records.unit(self._editing.now()):
                for number, row in enumerate(rows[at : at + _CHUNK], start + at):
                    told = self._one(job, call, columns, number, row)
                    (good if told[0] else bad).append([told[1], told[2], *row])
        self.keep_lines(job, "successful", good)
        self.keep_lines(job, "failed", bad)
        job.told["numberRecordsFailed"] += len(bad)

    def keep_lines(self, job: Job, part: str, rows: Sequence[list[str]]) -> None:
        """Add rows to a part of a job's results."""
        self._jobs.add_lines(job, part, (line(row, job.delimiter) for row in rows))

    def _one(
        self, job: Job, call: Call, columns: Columns, number: int, row: list[str]
    ) -> tuple[bool, str, str]:
        """Return whether a row was written, its id, and either sf__Created or sf__Error."""
        id_ = next(
            (
                cell
                for item, cell in zip(columns.listed, row, strict=True)
                if item.field.type == "id"
            ),
            "",
        )
        try:
            values = self._values(columns, row)
            written, created = self._carry_out(job, call, columns.sobject, number, id_, values)
        except Refusal as refusal:
            fields = ",".join(refusal.fields or [])
            return False, id_, f"{refusal.code}:{refusal.message}:{fields}--"
        return True, written, "true" if created else "false"

    def _values(self, columns: Columns, row: list[str]) -> Values:
        values: Values = {}
        for column, cell in zip(columns.listed, row, strict=True):
            # Empty says nothing; #N/A clears.
            if cell == "" or column.field.type == "id":
                continue
            if column.parent is not None and column.key is not None and cell != "#N/A":
                values[column.field.name] = self._looked_up(column, cell)
            else:
                values[column.field.name] = from_text(columns.sobject.name, column.field, cell)
        return values

    def _looked_up(self, column: Column, cell: str) -> str:
        if column.parent is None or column.key is None:
            raise ValueError("the column names no parent")
        found = self._by_key(column.parent, column.key, cell)
        if found is None:
            raise Refusal(
                "INVALID_FIELD",
                f"Foreign key external ID: {cell} not found for field {column.key.name} in entity"
                f" {column.parent.name}",
                [],
            )
        return found

    def _by_key(self, sobject: SObject, field: Field, value: object) -> str | None:
        row = self._tables.db.execute(
            f'SELECT "Id" FROM {table(sobject)} WHERE "{field.name}" = ? AND _deleted IS NULL',
            (value,),
        ).fetchone()
        return None if row is None else str(row[0])

    def _carry_out(
        self, job: Job, call: Call, sobject: SObject, number: int, id_: str, values: Values
    ) -> tuple[str, bool]:
        operation = job.told["operation"]
        if operation == "upsert":
            id_ = self._upserted(job, sobject, id_, values)
        if operation == "insert" and id_:
            raise Refusal(
                "INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"]
            )
        if not id_:
            if operation in _KEYED:
                raise Refusal("MISSING_ARGUMENT", f"Id not specified in an {operation} call", [])
            self._alone(job, number, sobject, values)
            return self._editing.create(call, sobject, values), True
        row = self._editing.row(sobject, id_, single=False)
        self._alone(job, number, sobject, row)
        if operation in ("delete", "hardDelete"):
            self._editing.delete(call, sobject, row)
        else:
            self._editing.update(call, sobject, row, values)
        if operation == "hardDelete":
            gone = self._tables.row(sobject, row["Id"])
            if gone is not None:
                by, now = call.session.by, self._editing.now()
                self._editing.deletion.purge(sobject, gone, by, now)
        return str(row["Id"]), False

    def _upserted(self, job: Job, sobject: SObject, id_: str, values: Values) -> str:
        """Return the id of the record an upsert means; empty for a new one."""
        field = sobject.field(job.told["externalIdFieldName"])
        if field.type == "id":
            return id_
        value = values.get(field.name)
        if value is None:
            raise Refusal("MISSING_ARGUMENT", f"{field.name} not specified", [])
        found = self._by_key(sobject, field, value)
        if found is not None:
            del values[field.name]
        return found or ""

    def _alone(self, job: Job, number: int, sobject: SObject, row: Mapping[str, Any]) -> None:
        """Refuse a row whose siblings another batch of the job writes at the same time.

        Raises:
            Refusal: the parent is locked.
        """
        if not self._tables.setting("bulk_contend"):
            return
        batch = number // max(1, self._jobs.number("batch_rows", 10_000))
        seen: dict[str, int] = job.own.setdefault("parents", {})
        for field in sobject.stored:
            parent = row.get(field.name)
            if not field.refers or "User" in field.refers or not ids.normal(parent):
                continue
            if seen.setdefault(str(parent), batch) != batch:
                raise busy(str(parent))
