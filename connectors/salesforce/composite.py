"""A few writes, each on the condition that nobody was faster: If-Unmodified-Since, 25 to a request.

Each subrequest is a PATCH of one record, a transaction of its own, and looks at the condition in
that transaction. The vendor's documentation says that the condition is about LastModifiedDate; one
other source says SystemModstamp, which moves without anybody's edit. So a 412 is looked into: where
LastModifiedDate stands still, the row is sent once more on the condition of the newer stamp.

Stamps are whole seconds. One that is younger than `YOUNG` proves nothing about an edit in the same
second; such rows go by collections, after a look at their stamps. So does everything where the org
does not take such a composite request.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.readings import Row, id_of, moment_of, text_of
from connectors.salesforce.refusals import PRECONDITION, RowError, in_doubt, refused
from connectors.salesforce.schema import Known
from connectors.salesforce.writer import Writer, record_id, values
from connectors.salesforce.writing import in_turn, update
from crmtrail.errors import Ambiguous, PersonNeeded, RetryLater
from crmtrail.model import Answer, Verdict, Write, stamp

PARTS: Final = 25
"""Most subrequests of one composite request (REST API Developer Guide, Composite)."""

MOST: Final = 4 * PARTS
"""Most writes that are worth a request for each 25; more go by collections."""

YOUNG: Final = timedelta(seconds=2)

_TROUBLE: Final = (Ambiguous, RetryLater, PersonNeeded, Refusal)
_STAMPS: Final = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")


class Part(msgspec.Struct, rename="camel"):
    """The answer of one subrequest."""

    http_status_code: int
    reference_id: str
    body: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def error(self) -> RowError:
        """Why it was refused; an unreadable body leaves the code unknown."""
        try:
            return msgspec.json.decode(self.body, type=list[RowError])[0]
        except (msgspec.DecodeError, IndexError):
            return RowError()


class Parts(msgspec.Struct, rename="camel"):
    """The answer of a composite request."""

    composite_response: list[Part]


class Guarded:
    """Writes records of one object on the condition that they are as they were."""

    def __init__(self, writer: Writer, known: Known) -> None:
        self._writer = writer
        self._known = known
        self._object = known.schema.object

    def update(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values where nobody changed the record since ``unmodified_since``.

        Raises:
            ValueError: a write without a usable id, or a value that is no JSON text.
            Ambiguous: there is no word on what became of all of them.
        """
        for write in writes:
            record_id(write.ref)
            values(write)
        now = self._writer.client.told_at
        old = [write for write in writes if _since(write) + YOUNG <= now]
        young = [write for write in writes if _since(write) + YOUNG > now]
        parts = [old[start : start + PARTS] for start in range(0, len(old), PARTS)]

        def send(part: Sequence[Write]) -> Sequence[Answer]:
            return self._compared(part) if part is young else self._conditional(part)

        answers = in_turn([*parts, young] if young else parts, send)
        told = {answer.key: answer for answer in answers}
        return [told[write.key] for write in writes]

    def _conditional(self, writes: Sequence[Write]) -> Sequence[Answer]:
        since = {write.key: _http_date(_since(write)) for write in writes}
        try:
            answers = self._patched(writes, since)
        except Refusal:
            # Nothing of it was carried out: this org takes no such composite request.
            return self._compared(writes)
        unread = [write for write in writes if _names_mru(answers[write.key])]
        if unread and self._writer.forgoes(answers[unread[0].key].message):
            answers |= self._again(unread, since)
        failed = [write for write in writes if answers[write.key].code == PRECONDITION]
        if failed:
            answers |= self._looked_into(failed)
        return [answers[write.key] for write in writes]

    def _patched(self, writes: Sequence[Write], since: Mapping[str, str]) -> dict[str, Answer]:
        root = f"{self._writer.root}sobjects/{self._object}"
        requests = [
            {
                "method": "PATCH",
                "url": f"{root}/{record_id(write.ref)}",
                "referenceId": f"r{number}",
                "httpHeaders": {"If-Unmodified-Since": since[write.key], **self._writer.headers},
                "body": values(write),
            }
            for number, write in enumerate(writes)
        ]
        return carry_out(self._writer, writes, requests)

    def _again(self, writes: Sequence[Write], since: Mapping[str, str]) -> dict[str, Answer]:
        """Send rows once more of which it is certain that they were not written."""
        try:
            return self._patched(writes, since)
        except _TROUBLE as error:
            return {write.key: in_doubt(write, str(error)) for write in writes}

    def _looked_into(self, writes: Sequence[Write]) -> dict[str, Answer]:
        """Tell an edit from a mere touch; the touched ones are sent once more."""
        try:
            found = self._stamps(writes)
        except _TROUBLE as error:
            return {write.key: in_doubt(write, str(error)) for write in writes}
        answers = {w.key: _meanwhile(w, found.get(record_id(w.ref))) for w in writes}
        touched = [w for w in writes if _is_unedited(w, found.get(record_id(w.ref)))]
        newest = {w.key: _http_date(_newest(found[record_id(w.ref)])) for w in touched}
        return answers | self._again(touched, newest) if touched else answers

    def _compared(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Write by collections what is still as it was, by a look just before."""
        found = self._stamps(writes)
        answers = {w.key: _meanwhile(w, found.get(record_id(w.ref))) for w in writes}
        still = [w for w in writes if _is_unedited(w, found.get(record_id(w.ref)))]
        answers |= {answer.key: answer for answer in update(self._writer, self._object, still)}
        return [answers[write.key] for write in writes]

    def _stamps(self, writes: Sequence[Write]) -> Mapping[str, Row]:
        """Return the stamps of live records by id, as of now."""
        names = [name for name in _STAMPS if name in self._known.narrow]
        ids = [record_id(write.ref) for write in writes]
        query = soql.among(self._object, names or ["Id"], ids)
        found = self._writer.client.query(query, deleted=False).records
        return {id_of(row): row for row in found}


def carry_out(
    writer: Writer, writes: Sequence[Write], requests: Sequence[Mapping[str, object]]
) -> dict[str, Answer]:
    """Send up to 25 subrequests that stand or fall one by one; return an answer by key.

    Args:
        writer: sends them.
        writes: what each subrequest is for, in order.
        requests: the subrequests, named ``r0``, ``r1`` and so on.
    """
    body = msgspec.json.encode(
        {"allOrNone": False, "collateSubrequests": False, "compositeRequest": requests}
    )
    found = writer.send("POST", "composite", Parts, body).composite_response
    told = {part.reference_id: part for part in found}
    return {write.key: _answer(write, told.get(f"r{n}")) for n, write in enumerate(writes)}


def _answer(write: Write, part: Part | None) -> Answer:
    if part is None:
        return in_doubt(write, "Salesforce left the record out of its answer")
    status = part.http_status_code
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(write.key, Verdict.ACCEPTED)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return refused(write, PRECONDITION, part.error.message)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return in_doubt(write, f"HTTP {status}: {part.error.code}")
    return refused(write, part.error.code, part.error.told())


def _names_mru(answer: Answer) -> bool:
    return answer.verdict is Verdict.REFUSED and "mru" in answer.message.lower()


def _since(write: Write) -> datetime:
    if write.unmodified_since is None:
        raise ValueError(f"{write.ref} says no stamp to compare with")
    return write.unmodified_since


def _http_date(at: datetime) -> str:
    """Return a stamp as an HTTP date (RFC 9110, 5.6.7); parts of a second are cut."""
    return format_datetime(at.astimezone(UTC).replace(microsecond=0), usegmt=True)


def _edited(row: Row) -> datetime | None:
    return moment_of(row, "LastModifiedDate") or moment_of(row, "SystemModstamp")


def _newest(row: Row) -> datetime:
    """Return the newer of the two stamps, up to the next whole second."""
    stamps = (moment_of(row, "LastModifiedDate"), moment_of(row, "SystemModstamp"))
    newest = max(at for at in stamps if at is not None)
    return newest + timedelta(seconds=bool(newest.microsecond))


def _is_unedited(write: Write, row: Row | None) -> bool:
    """Whether a record is live and nobody edited it since, by its stamps."""
    at = None if row is None else _edited(row)
    return at is not None and at <= _since(write)


def _meanwhile(write: Write, row: Row | None) -> Answer:
    """Return the refusal of a write for which somebody, or something, was faster."""
    if row is None:
        return refused(write, "NOT_FOUND", "the record is no longer live")
    at = _edited(row)
    if at is None:
        return refused(write, PRECONDITION, "the record has no stamp to compare with")
    by = text_of(row, "LastModifiedById")
    words = f"the record was changed at {stamp(at)}" + (f" by user {by}" if by else "")
    if at <= _since(write):
        words = "Salesforce takes the record for changed, by a stamp of its own"
    return refused(write, PRECONDITION, words)
