"""Writing field values back, in collections of up to 200 records."""

from collections import deque
from collections.abc import Sequence

import msgspec

from connectors.salesforce.answers import Refusal, one_line
from connectors.salesforce.client import Client
from connectors.salesforce.ids import to18
from connectors.salesforce.refusals import hint
from crmtrail.errors import Ambiguous, PersonNeeded, RetryLater
from crmtrail.model import Answer, Verdict, Write

BATCH = 200
"""Most records of one collections request (REST API Developer Guide, sObject Collections)."""

MOST_PARTS = 32
"""How many requests to spend on finding the rows for which a batch is refused."""

_HEADERS = {
    # Without it, Salesforce runs the active assignment rules and hands leads and cases to others.
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Duplicate-Rule-Header": "allowSave=true",
}


class RowError(msgspec.Struct, rename="camel"):
    """Why a row was refused."""

    status_code: str = ""
    error_code: str = ""
    message: str = ""
    fields: list[str] | None = None

    def told(self) -> str:
        """Return the vendor's words, with the fields where they do not name them."""
        missing = [name for name in self.fields or () if name not in self.message]
        return f"{self.message} ({', '.join(missing)})" if missing else self.message


class RowResult(msgspec.Struct):
    """What became of one row; a refused one carries no id."""

    success: bool
    id: str | None = None
    errors: list[RowError] | None = None


def send(client: Client, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    """Set field values on up to 200 records; rows stand or fall one by one.

    Salesforce refuses the whole request for one value it cannot even read. Then nothing of it was
    carried out, and the halves are sent on their own until the culprits are found.

    Raises:
        ValueError: too many writes, or a write without a usable id.
        Ambiguous: there is no word on what became of the batch, or of a part of it.
    """
    if len(writes) > BATCH:
        raise ValueError(f"a batch holds {BATCH} records at most, not {len(writes)}")
    if not writes:
        return ()
    answers: dict[str, Answer] = {}
    parts: deque[Sequence[Write]] = deque([writes])
    requests = 0
    while parts:
        part = parts.popleft()
        requests += 1
        try:
            answers |= {answer.key: answer for answer in _sent(client, object_, part)}
        except Refusal as refusal:
            if len(part) == 1 or requests > MOST_PARTS:
                answers |= {w.key: _refused(w, refusal.code, refusal.told) for w in part}
            else:
                middle = len(part) // 2
                parts += [part[:middle], part[middle:]]
        except (RetryLater, PersonNeeded) as error:
            if all(answer.verdict is Verdict.REFUSED for answer in answers.values()):
                raise
            raise Ambiguous(f"{error}; a part of the batch was written before") from None
    return [answers[write.key] for write in writes]


def _sent(client: Client, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    results = client.write("composite/sobjects", list[RowResult], body(object_, writes), _HEADERS)
    if len(results) != len(writes):
        raise Ambiguous(
            f"Salesforce answered for {len(results)} of {len(writes)} records",
            hint="the records are read back before anything else is written",
        )
    return [_answer(write, result) for write, result in zip(writes, results, strict=True)]


def body(object_: str, writes: Sequence[Write]) -> bytes:
    """Return the request's JSON; values go out as the exact text they came in."""
    records = [
        {
            "attributes": {"type": object_},
            "id": _id(write),
            **{name: _raw(token) for name, token in write.fields.items()},
        }
        for write in writes
    ]
    return msgspec.json.encode({"allOrNone": False, "records": records})


def _id(write: Write) -> str:
    if (id_ := to18(write.ref.id)) is None:
        raise ValueError(f"{write.ref} is no Salesforce record")
    return id_


def _raw(token: str) -> msgspec.Raw:
    msgspec.json.decode(token)  # a token that is no JSON would break the whole batch
    return msgspec.Raw(token.encode())


def _answer(write: Write, result: RowResult) -> Answer:
    if not result.success:
        error = result.errors[0] if result.errors else RowError("UNKNOWN_EXCEPTION")
        return _refused(write, error.status_code or error.error_code, error.told())
    if result.id is not None and to18(result.id) != to18(write.ref.id):
        raise Ambiguous("Salesforce answered for records we did not write")
    return Answer(write.key, Verdict.ACCEPTED)


def _refused(write: Write, code: str, message: str) -> Answer:
    return Answer(write.key, Verdict.REFUSED, code, one_line(message), hint(code))
