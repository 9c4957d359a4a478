"""Making records anew: in collections of 200, with their dates where that is permitted.

Salesforce knows no key that would keep a record from being made twice. So after a lost answer the
record is looked for (`Recreation.found`) before it may be made again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from connectors.salesforce.answers import one_line
from connectors.salesforce.client import vendor_time
from connectors.salesforce.ids import to18
from connectors.salesforce.readings import Row, id_of
from connectors.salesforce.recreating_fields import AUDIT, FieldFlags, Flags, Remake, remake
from connectors.salesforce.refusals import RowResult, refused
from connectors.salesforce.writer import Writer, raw
from connectors.salesforce.writing import collection, halving, told, update
from crmtrail.errors import Ambiguous, Mistake, PersonNeeded, RetryLater
from crmtrail.model import NULL, Answer, Ref, Token, Tokens, Verdict, Write, moment, value_of

_MISSING: Final = "REQUIRED_FIELD_MISSING"
_PAGE: Final = 2_000
_NO_DATES: Final = (
    "; its dates and authors are those of now: they need Set Audit Fields upon Record Creation"
)


class Recreation:
    """Makes records of one object anew.

    Args:
        writer: sends the requests.
        object_: the object.
        user: our own user id; empty where it is not known.
    """

    def __init__(self, writer: Writer, object_: str, user: Callable[[], str]) -> None:
        self._writer = writer
        self._object = object_
        self._user = user
        described = writer.client.get(f"sobjects/{object_}/describe", Flags)
        self._flags = described.by_name()

    def make(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make up to 200 records anew; the answers carry their new ids.

        Raises:
            ValueError: a value is no JSON text.
            Ambiguous: there is no word on what became of all of them.
        """
        plans = {write.key: remake(write.fields, self._flags) for write in writes}
        for write in writes:
            collection([{n: raw(token) for n, token in write.fields.items()}])
        whole = [write for write in writes if not plans[write.key].missing]
        made = halving(whole, lambda part: self._posted(part, plans))
        answers = {answer.key: _noted(answer, plans[answer.key]) for answer in made}
        answers |= self._finished(writes, plans, answers)
        lacking = [write for write in writes if plans[write.key].missing]
        answers |= {write.key: _lacking(write, plans[write.key]) for write in lacking}
        return [answers[write.key] for write in writes]

    def _posted(self, writes: Sequence[Write], plans: Mapping[str, Remake]) -> Sequence[Answer]:
        records: list[Mapping[str, object]] = [
            {
                "attributes": {"type": self._object},
                **{name: raw(token) for name, token in plans[write.key].first.items()},
            }
            for write in writes
        ]
        results = self._writer.send(
            "POST", "composite/sobjects", list[RowResult], collection(records)
        )
        return [_made(write, result) for write, result in told(writes, results)]

    def _finished(
        self, writes: Sequence[Write], plans: Mapping[str, Remake], made: Mapping[str, Answer]
    ) -> Mapping[str, Answer]:
        """Set what could not be set at once, on the records that are there now."""
        later = [
            Write(Ref(w.ref.source, w.ref.object, id_), plans[w.key].later, w.key)
            for w in writes
            if w.key in made and (id_ := made[w.key].id) and plans[w.key].later
        ]
        if not later:
            return {}
        try:
            answers = update(self._writer, self._object, later)
        except (Ambiguous, RetryLater, PersonNeeded, Mistake) as error:
            answers = [Answer(w.key, Verdict.UNKNOWN, message=str(error)) for w in later]
        unset = {answer.key: answer for answer in answers if answer.verdict is not Verdict.ACCEPTED}
        return {
            w.key: _unfinished(made[w.key], w.fields, unset[w.key]) for w in later if w.key in unset
        }

    def found(self, writes: Sequence[Write], since: datetime) -> Mapping[str, str | None]:
        """Look for records that were made anew by requests of which the answer was lost.

        A key is absent where there is certainly no such record so far, and None where it cannot
        be told: there are several, or nothing by which to know it. Long after a lost answer, not
        at once: what Salesforce is still carrying out does not show yet.

        Args:
            writes: as they were given to `make`.
            since: the vendor's clock before the first of them was sent.
        """
        wanted = {write.key: self._wanted(write) for write in writes}
        names = sorted({name for fields in wanted.values() for name in fields})
        rows = self._candidates(["Id", *names], since)
        matches = {key: _matching(rows, fields, self._flags) for key, fields in wanted.items()}
        claims = [ids[0] for ids in matches.values() if len(ids) == 1]
        told: dict[str, str | None] = {}
        for key, ids in matches.items():
            if not wanted[key]:
                told[key] = None
            elif ids:
                sole = len(ids) == 1 and claims.count(ids[0]) == 1
                told[key] = ids[0] if sole else None
        return told

    def _wanted(self, write: Write) -> Tokens:
        first = remake(write.fields, self._flags).first
        return {
            name: token
            for name, token in first.items()
            if token != NULL and name not in AUDIT and self._flags[name].comparable
        }

    def _candidates(self, names: Sequence[str], since: datetime) -> Sequence[Row]:
        """Return all records made or touched since, of ours where no other author can be set."""
        # SystemModstamp is the one stamp that nobody can set back.
        conditions = [f"SystemModstamp >= {vendor_time(since)}"]
        by = self._flags.get("CreatedById")
        user = to18(self._user()) if by and not by.createable else None
        if user:
            conditions += [f"CreatedById = '{user}'", f"CreatedDate >= {vendor_time(since)}"]
        found: list[Row] = []
        while True:
            after = [f"Id > '{id_of(found[-1])}'"] if found else []
            soql = (
                f"SELECT {','.join(names)} FROM {self._object} "  # noqa: S608 -- not SQL
                f"WHERE {' AND '.join(conditions + after)} ORDER BY Id LIMIT {_PAGE}"
            )
            page = self._writer.client.query(soql, deleted=False)
            found += page.records
            if not page.records or (page.last and len(page.records) < _PAGE):
                return found


def _made(write: Write, result: RowResult) -> Answer:
    if not result.success:
        return refused(write, result.error.code, result.error.told())
    id_ = to18(result.id or "")
    if id_ is None:
        raise Ambiguous("Salesforce made a record and did not say its id")
    return Answer(write.key, Verdict.ACCEPTED, id=id_)


def _noted(answer: Answer, plan: Remake) -> Answer:
    if answer.verdict is not Verdict.ACCEPTED:
        return answer
    left = "; ".join(f"{name} is not set: {why}" for name, why in plan.left.items())
    dated = any(name in plan.first for name in AUDIT)
    return replace(answer, message=one_line(f"made anew{'' if dated else _NO_DATES}; {left}")
                   .rstrip("; "))  # fmt: skip


def _unfinished(made: Answer, fields: Tokens, told: Answer) -> Answer:
    names = ", ".join(fields)
    said = "could not be set" if told.verdict is Verdict.REFUSED else "may not be set"
    return replace(
        made, message=one_line(f"{made.message}; {names} {said}: {told.message}"), hint=told.hint
    )


def _lacking(write: Write, plan: Remake) -> Answer:
    names = ", ".join(plan.missing)
    return refused(
        write,
        _MISSING,
        f"Required fields are missing: [{names}]; nothing was sent",
        "the record cannot be made without them; give them a value in Salesforce's own form",
    )


def _matching(
    rows: Sequence[Row], fields: Tokens, flags: Mapping[str, FieldFlags]
) -> Sequence[str]:
    """Return the records that agree with all fields by which they are told apart.

    Where several do, those of them that agree with everything.
    """
    telling = {name: token for name, token in fields.items() if flags[name].tells_apart}
    found = [row for row in rows if _agrees(row, telling or fields, flags)]
    if len(found) > 1:
        exact = [row for row in found if _agrees(row, fields, flags)]
        found = exact or found
    return [id_of(row) for row in found]


def _agrees(row: Row, fields: Tokens, flags: Mapping[str, FieldFlags]) -> bool:
    return all(
        _alike(bytes(row.get(name, b"null")).decode(), token, flags[name].type)
        for name, token in fields.items()
    )


def _alike(now: Token, then: Token, type_: str) -> bool:
    one, other = value_of(now), value_of(then)
    if one == other or not (isinstance(one, str) and isinstance(other, str)):
        return bool(one == other)
    if type_ == "reference":
        return to18(one) == to18(other)
    if type_ == "datetime":
        try:
            return moment(one) == moment(other)
        except ValueError:
            return False
    return one.strip().casefold() == other.strip().casefold()
