"""Many writes at once by the Bulk API 2.0, and by collections what no CSV can tell."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.salesforce.answers import Refusal
from connectors.salesforce.ids import to18
from connectors.salesforce.ingest_csv import cell, fits, tables
from connectors.salesforce.ingest_job import BulkUpdate, Ended, Pace
from connectors.salesforce.readings import Row, id_of, text_of
from connectors.salesforce.refusals import UNPROCESSED, in_doubt, refused
from connectors.salesforce.schema import Known
from connectors.salesforce.soql import batches
from connectors.salesforce.writer import Writer, record_id, values
from connectors.salesforce.writing import in_turn, update
from crmtrail.errors import PermissionMissing
from crmtrail.model import Answer, Field, Verdict, Write, value_of

__all__ = ["Ingest", "Pace"]

_IDS_A_LOOK: Final = 2_000
_ERROR: Final = re.compile(r"([A-Z][A-Za-z_]+):(.*?)(?::([\w., ]*))?--\s*", re.DOTALL)
_PEOPLE: Final = frozenset({"User", "Group", "RecordType", "Profile", "UserRole", "Queue"})


class Ingest:
    """Updates many records of one object."""

    def __init__(self, writer: Writer, known: Known, pace: Pace) -> None:
        self._writer = writer
        self._fields = known.schema.fields
        self._object = known.schema.object
        self._job = BulkUpdate(writer, self._object, pace)

    def update(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values; rows stand or fall one by one.

        Raises:
            ValueError: a write without a usable id, or a value that is no JSON text.
            Ambiguous: there is no word on what became of all of them.
            RetryLater: nothing was written.
            PersonNeeded: nothing was written.
        """
        by_id = {record_id(write.ref): write for write in writes}
        cells = {id_: self._cells(write) for id_, write in by_id.items()}
        rows = self._sorted({id_: row for id_, row in cells.items() if row is not None}, by_id)
        columns = sorted({name for _, row in rows for name in row})
        parts: list[Sequence[Write]] = []
        bodies: dict[str, bytes] = {}
        for ids, body in tables(columns, rows):
            parts.append([by_id[id_] for id_ in ids])
            bodies[parts[-1][0].key] = body
        rest = [by_id[id_] for id_, row in cells.items() if row is None]
        for write in rest:
            values(write)  # what is no JSON text is found before anything is sent

        def send(part: Sequence[Write]) -> Sequence[Answer]:
            if part is rest:
                return update(self._writer, self._object, part)
            return self._run(part, bodies.pop(part[0].key))

        answers = in_turn([*parts, rest] if rest else parts, send)
        told = {answer.key: answer for answer in answers}
        return [told[write.key] for write in writes]

    def _run(self, writes: Sequence[Write], body: bytes) -> Sequence[Answer]:
        try:
            ended = self._job.run(body)
        except (Refusal, PermissionMissing):
            # No job for this object, this identity or today: nothing of it was written.
            return update(self._writer, self._object, writes)
        return [_answer(write, ended) for write in writes]

    def _cells(self, write: Write) -> Mapping[str, str] | None:
        """Return a record's cells; None where it has to go another way."""
        found: dict[str, str] = {}
        for name, token in write.fields.items():
            field = self._fields.get(name)
            text = cell(token, field.vendor_type if field else "")
            if field is None or not field.updateable or text is None:
                return None  # one column that may not be written fails a whole job
            found[name] = text
        return found if found and fits(found) else None

    def _sorted(
        self, rows: Mapping[str, Mapping[str, str]], writes: Mapping[str, Write]
    ) -> Sequence[tuple[str, Mapping[str, str]]]:
        """Return rows by parent: siblings written side by side would lock each other out."""
        parent = _parent(self._fields)
        if parent is None:
            return sorted(rows.items())
        now = self._parents(parent, list(rows))

        def key(id_: str) -> tuple[str, str]:
            token = writes[id_].fields.get(parent, "null")
            told = value_of(token)
            return (told if isinstance(told, str) else now.get(id_, ""), id_)

        return [(id_, rows[id_]) for id_ in sorted(rows, key=key)]

    def _parents(self, parent: str, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the parent of each record as of now; empty where it cannot be asked for."""
        found: dict[str, str] = {}
        for batch in batches(ids, _IDS_A_LOOK):
            order = msgspec.json.encode({"ids": batch, "fields": ["Id", parent]})
            path = f"composite/sobjects/{self._object}"
            try:
                answer = self._writer.client.ask(path, list[Row | None], order)
            except Refusal:
                return found  # it is for speed only
            found |= {id_of(row): text_of(row, parent) or "" for row in answer if row}
        return found


def _parent(fields: Mapping[str, Field]) -> str | None:
    """Return the field by which records have a parent, a master before an account or another."""
    found = [
        field
        for field in fields.values()
        if field.references and not _PEOPLE.intersection(field.references)
    ]
    # A master-detail field may not be empty; AccountId is what most others hang on.
    found.sort(key=lambda field: (field.nillable, field.name != "AccountId"))
    return found[0].name if found else None


def _answer(write: Write, ended: Ended) -> Answer:
    id_ = to18(write.ref.id) or ""
    if id_ in ended.written:
        return Answer(write.key, Verdict.ACCEPTED)
    if id_ in ended.refused:
        return _refusal(write, ended.refused[id_])
    if id_ in ended.unprocessed:
        return refused(write, UNPROCESSED, ended.message)
    return in_doubt(write, f"in no result of the bulk job; {ended.message}")


def _refusal(write: Write, told: str) -> Answer:
    """Read ``CODE:message:field --``, as failed rows of a job are told."""
    match = _ERROR.fullmatch(told)
    if match is None:
        code, colon, words = told.partition(":")
        return refused(write, code if colon else "UNKNOWN_EXCEPTION", words or told)
    fields = (match[3] or "").strip()
    named = not fields or fields in match[2]
    return refused(write, match[1], match[2] if named else f"{match[2]} ({fields})")
