"""Out of the recycle bin, and into it: SOAP undelete, and deletion by collections."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.composite import PARTS, carry_out
from connectors.salesforce.ids import to18
from connectors.salesforce.readings import id_of, is_deleted
from connectors.salesforce.refusals import RowError, RowResult, refused
from connectors.salesforce.writer import Writer, record_id
from connectors.salesforce.writing import answer, halving, in_turn, told
from crmtrail.errors import Ambiguous, Mistake, PersonNeeded, RetryLater
from crmtrail.model import Answer, Verdict, Write

_ANEW: Final = "records of this object cannot be undeleted; make it anew"
_PARENT: Final = "it went with its parent: undelete the parent first, and it comes along"
_PURGED: Final = "it is gone from the recycle bin for good; make it anew"
_UNFIT: Final = frozenset({"UNDELETE_FAILED", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
_BINNED: Final = "ENTITY_IS_DELETED"


def undelete(writer: Writer, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    """Take up to 200 records out of the recycle bin; one that is live already is accepted.

    Children that were deleted with a record come back with it, and so do lookups to it that were
    not set anew meanwhile (Apex Developer Guide, Restoring Deleted Records).

    Raises:
        ValueError: a write without a usable id.
        PersonNeeded: the access token is none that SOAP takes; nothing was sent.
        Ambiguous: there is no word on what became of them.
    """
    if not writes:
        return ()
    body = "".join(f"<urn:ids>{record_id(write.ref)}</urn:ids>" for write in writes)
    response = writer.client.soap("undelete", body)
    results = [_result(each) for each in response if _name(each) == "result"]
    answers = [_undeleted(write, result) for write, result in told(writes, results)]
    unfit = {a.key for a in answers if a.verdict is Verdict.REFUSED and a.code in _UNFIT}
    if not unfit:
        return answers
    where = _where(writer, object_, [write for write in writes if write.key in unfit])
    return [where.get(answer.key, answer) for answer in answers]


def _undeleted(write: Write, result: RowResult) -> Answer:
    if result.id and to18(result.id) != to18(write.ref.id):
        raise Ambiguous("Salesforce answered for records we did not ask for")
    if result.success:
        return Answer(write.key, Verdict.ACCEPTED)
    code, words = result.error.code, result.error.told()
    advice = _ANEW if "not undeletable" in words.lower() else ""
    return refused(write, code, words, advice)


def _where(writer: Writer, object_: str, writes: Sequence[Write]) -> Mapping[str, Answer]:
    """Say where records lie that could not be undeleted; empty where that cannot be asked."""
    ids = [record_id(write.ref) for write in writes]
    query = soql.among(object_, ("Id", "IsDeleted"), ids)
    try:
        rows = {id_of(row): is_deleted(row) for row in writer.client.query(query).records}
    except (RetryLater, PersonNeeded, Mistake):
        return {}  # the vendor's own words have to do
    return {write.key: _lying(write, rows.get(record_id(write.ref))) for write in writes}


def _lying(write: Write, deleted: bool | None) -> Answer:  # noqa: FBT001 -- None is an answer too
    if deleted is None:
        return refused(write, "UNDELETE_FAILED", "Entity is not in the recycle bin", _PURGED)
    if deleted:
        return refused(write, "UNDELETE_FAILED", "it cannot be undeleted by itself", _PARENT)
    return Answer(write.key, Verdict.ACCEPTED, message="it was live already")


def _result(element: Element) -> RowResult:
    errors = [
        RowError(
            status_code=_text(each, "statusCode"),
            message=_text(each, "message"),
            fields=[field.text or "" for field in each if _name(field) == "fields"],
        )
        for each in element
        if _name(each) == "errors"
    ]
    return RowResult(_text(element, "success") == "true", _text(element, "id") or None, errors)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str) -> str:
    return next(((each.text or "").strip() for each in element if _name(each) == name), "")


class _UnservedError(Exception):
    """This org deletes no collections."""


def remove(writer: Writer, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    """Move up to 200 records to the recycle bin; one that lies there already is accepted.

    Raises:
        ValueError: a write without a usable id.
        Ambiguous: there is no word on what became of all of them.
    """
    for write in writes:
        record_id(write.ref)
    try:
        answers = halving(writes, lambda part: _collected(writer, part))
    except _UnservedError:
        parts = [writes[start : start + PARTS] for start in range(0, len(writes), PARTS)]
        answers = in_turn(parts, lambda part: _one_by_one(writer, object_, part))
    return [_settled(each) for each in answers]


def _collected(writer: Writer, writes: Sequence[Write]) -> Sequence[Answer]:
    ids = ",".join(record_id(write.ref) for write in writes)
    params = {"ids": ids, "allOrNone": "false"}
    try:
        results = writer.send("DELETE", "composite/sobjects", list[RowResult], params=params)
    except Refusal as refusal:
        if refusal.is_absence:
            raise _UnservedError from None
        raise
    return [answer(write, result) for write, result in told(writes, results)]


def _one_by_one(writer: Writer, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    """Delete up to 25 records, each by a subrequest; a deletion knows no condition."""
    requests = [
        {
            "method": "DELETE",
            "url": f"{writer.root}sobjects/{object_}/{record_id(write.ref)}",
            "referenceId": f"r{number}",
        }
        for number, write in enumerate(writes)
    ]
    return list(carry_out(writer, writes, requests).values())


def _settled(told: Answer) -> Answer:
    if told.verdict is Verdict.REFUSED and told.code == _BINNED:
        return Answer(told.key, Verdict.ACCEPTED, message="it was deleted already")
    return told
