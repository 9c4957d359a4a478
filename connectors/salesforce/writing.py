"""Writing field values back, in collections of 200 records.

Nothing that may have been carried out is ever sent again from here. Rows in doubt are told with
verdict ``unknown``, or, where all of them are, with `Ambiguous`: the caller reads them back.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from connectors.salesforce.answers import Refusal
from connectors.salesforce.ids import to18
from connectors.salesforce.refusals import RowResult, in_doubt, refused
from connectors.salesforce.writer import Writer, record_id, values
from crmtrail.errors import Ambiguous, PersonNeeded, RetryLater
from crmtrail.model import Answer, Verdict, Write

BATCH: Final = 200
"""Most records of one collections request (REST API Developer Guide, sObject Collections)."""

MOST_PARTS: Final = 32
"""How many requests to spend on finding the rows for which a batch is refused."""

Writes: TypeAlias = Sequence[Write]
Send: TypeAlias = Callable[[Writes], Iterable[Answer]]


def update(writer: Writer, object_: str, writes: Writes) -> Sequence[Answer]:
    """Set field values, in collections of up to 200 records; rows stand or fall one by one.

    Raises:
        ValueError: a write without a usable id, or a value that is no JSON text.
        Ambiguous: there is no word on what became of all of them.
    """
    for write in writes:
        _record(object_, write)
    parts = [writes[start : start + BATCH] for start in range(0, len(writes), BATCH)]
    return in_turn(parts, lambda part: halving(part, lambda rows: _sent(writer, object_, rows)))


def in_turn(parts: Sequence[Writes], send: Send) -> Sequence[Answer]:
    """Send parts one after the other, up to the first that is not answered.

    Raises:
        RetryLater: nothing was written.
        PersonNeeded: nothing was written.
        Ambiguous: there is no word on what became of any of them.
    """
    answers: list[Answer] = []
    for number, part in enumerate(parts):
        try:
            answers += send(part)
        except (Ambiguous, RetryLater, PersonNeeded) as error:
            if all(answer.verdict is Verdict.REFUSED for answer in answers):
                raise
            unsent = [write for later in parts[number + 1 :] for write in later]
            answers += [in_doubt(write, str(error)) for write in part]
            return answers + [in_doubt(w, f"not sent: {error}") for w in unsent]
    return answers


def halving(writes: Writes, send: Send) -> Sequence[Answer]:
    """Send a batch; where the whole of it is refused, its halves, until the culprits are found.

    Salesforce refuses a whole request for one value that it cannot even read. Then nothing of it
    was carried out.
    """
    answers: dict[str, Answer] = {}
    parts: deque[Writes] = deque([writes] if writes else [])
    requests = 0
    while parts:
        part = parts.popleft()
        requests += 1
        try:
            told = {answer.key: answer for answer in send(part)}
        except Refusal as refusal:
            if len(part) == 1 or requests > MOST_PARTS:
                told = {w.key: refused(w, refusal.code, refusal.told) for w in part}
            else:
                middle = len(part) // 2
                parts += [part[:middle], part[middle:]]
                continue
        except (Ambiguous, RetryLater, PersonNeeded) as error:
            if all(answer.verdict is Verdict.REFUSED for answer in answers.values()):
                raise
            told = {w.key: in_doubt(w, str(error)) for w in part}
            told |= {w.key: in_doubt(w, f"not sent: {error}") for each in parts for w in each}
            parts.clear()
        answers |= told
    return [answers[write.key] for write in writes]


def told(writes: Writes, results: Sequence[RowResult]) -> Sequence[tuple[Write, RowResult]]:
    """Pair writes with what became of them; the vendor keeps their order.

    Raises:
        Ambiguous: there are not as many results as writes.
    """
    if len(results) != len(writes):
        raise Ambiguous(
            f"Salesforce answered for {len(results)} of {len(writes)} records",
            hint="the records are read back before anything else is written",
        )
    return list(zip(writes, results, strict=True))


def answer(write: Write, result: RowResult) -> Answer:
    """Return our word for the result of one row."""
    if not result.success:
        return refused(write, result.error.code, result.error.told())
    if result.id is not None and to18(result.id) != to18(write.ref.id):
        raise Ambiguous("Salesforce answered for records we did not write")
    return Answer(write.key, Verdict.ACCEPTED)


def _sent(writer: Writer, object_: str, writes: Writes) -> Sequence[Answer]:
    body = collection([_record(object_, write) for write in writes])
    results = writer.send("PATCH", "composite/sobjects", list[RowResult], body)
    return [answer(write, result) for write, result in told(writes, results)]


def _record(object_: str, write: Write) -> dict[str, object]:
    return {"attributes": {"type": object_}, "id": record_id(write.ref), **values(write)}


def collection(records: Sequence[Mapping[str, object]]) -> bytes:
    """Return a collections request's JSON; values go out as the exact text they came in."""
    return msgspec.json.encode({"allOrNone": False, "records": records})
