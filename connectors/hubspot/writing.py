"""Setting field values: one batch, told apart record by record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from connectors.hubspot.client import Client
from connectors.hubspot.readings import plain
from connectors.hubspot.refusals import Absent, Detail, Refusal, details_of
from connectors.hubspot.shapes import Batch, BatchError
from connectors.hubspot.words import explained
from crmtrail.errors import Ambiguous, CrmtrailError
from crmtrail.model import NULL, Answer, Field, Token, Verdict, Write

WRITE_BATCH = 100

_STAGE = "lifecyclestage"
"""Moves forward only: HubSpot silently ignores a step back unless the property is blank."""


def spelled(token: Token) -> str:
    """Return a token as HubSpot takes it: text always, and "" for a blank.

    A list of choices starting with ";" would be appended to the present ones, so that is cut.
    """
    if token == NULL:
        return ""
    if not token.startswith('"'):
        return token
    text: str = json.loads(token)
    return text.removeprefix(";")


def unfit(write: Write, fields: Mapping[str, Field]) -> Answer | None:
    """Return the refusal of a write that HubSpot could not carry out, or None.

    ``fields`` empty means that the token may not read the metadata: HubSpot then decides.
    """
    if not fields:
        return None
    gone = sorted(name for name in write.fields if name not in fields)
    if gone:
        message = f"HubSpot has no property {', '.join(gone)} that this token can see"
        hint = "the property was deleted, or is sensitive; leave it out or create it again"
        return Answer(write.key, Verdict.REFUSED, "PROPERTY_DOESNT_EXIST", message, hint)
    locked = sorted(name for name in write.fields if not fields[name].updateable)
    if locked:
        message = f"{', '.join(locked)}: HubSpot computes this value or lets nobody write it"
        return Answer(
            write.key, Verdict.REFUSED, "READ_ONLY_VALUE", message, "leave the property out"
        )
    return None


@dataclass(frozen=True, slots=True)
class _Input:
    """One record of one request."""

    key: str
    id: str
    properties: Mapping[str, str]


class Writing:
    """Writes one batch and collects the verdicts.

    Nothing is sent twice: a part of the batch that is refused as a whole was not carried out,
    so its halves are new requests.
    """

    def __init__(self, client: Client, object_: str, fields: Mapping[str, Field]) -> None:
        self._client = client
        self._object = object_
        self._fields = fields
        self._answers: dict[str, Answer] = {}
        self._landed = False

    def write(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Carry out the writes and answer each, in their order.

        Raises:
            Throttled: nothing was sent.
            Ambiguous: the whole batch may or may not have landed.
        """
        for write in writes:
            if refused := unfit(write, self._fields):
                self._answers[write.key] = refused
        due = [write for write in writes if write.key not in self._answers]
        for turn in _turns(due):
            inputs = [_Input(one.key, one.ref.id, _properties(one)) for one in turn]
            back = self._backward(inputs)
            self._send([_Input(one.key, one.id, {_STAGE: ""}) for one in back], final=False)
            self._send([one for one in inputs if one.key not in self._answers])
        return [self._answers[write.key] for write in writes]

    def _backward(self, inputs: Sequence[_Input]) -> list[_Input]:
        """Return the records whose lifecycle stage would move back; one read, if any has one."""
        staged = [one for one in inputs if one.properties.get(_STAGE)]
        if not staged:
            return []
        told = self._client.batch(self._object, [one.id for one in staged], names=(_STAGE,))
        now = {str(one.id): plain(one.properties.get(_STAGE)) for one in told.content.results}
        return [one for one in staged if self._is_back(now.get(one.id), one.properties[_STAGE])]

    def _is_back(self, present: str | None, target: str) -> bool:
        if present is None or present == target:
            return False
        order = self._fields[_STAGE].options if _STAGE in self._fields else ()
        if present in order and target in order:
            return order.index(target) < order.index(present)
        return True  # the order is not known: clearing first works either way

    def _send(self, inputs: Sequence[_Input], *, final: bool = True) -> None:
        """Send a request, halving it where HubSpot refuses it as a whole.

        Only the ``final`` request of a record makes its verdict ACCEPTED.
        """
        if not inputs:
            return
        body = [
            {"id": one.id, "properties": dict(one.properties), "objectWriteTraceId": one.key}
            for one in inputs
        ]
        try:
            batch = self._client.update(self._object, body)
        except (Refusal, Absent) as error:
            self._refused(inputs, error, final=final)
        except CrmtrailError as error:
            if not self._landed:
                raise
            self._unknown(inputs, error)
        else:
            self._landed = True
            self._judge(inputs, batch, final=final)

    def _refused(self, inputs: Sequence[_Input], error: Refusal | Absent, *, final: bool) -> None:
        if len(inputs) > 1:
            middle = len(inputs) // 2
            self._send(inputs[:middle], final=final)
            self._send(inputs[middle:], final=final)
            return
        (one,) = inputs
        if isinstance(error, Absent):
            self._refuse(one.key, (Detail("OBJECT_NOT_FOUND", (), ""),), str(error))
        else:
            self._refuse(one.key, error.details, error.said or str(error))

    def _judge(self, inputs: Sequence[_Input], batch: Batch, *, final: bool) -> None:
        """Read verdicts by id and trace id; what HubSpot does not mention stays unknown."""
        done = {str(thing.id) for thing in batch.results}
        named = dict(_named(batch.errors or ()))
        for one in inputs:
            error = named.get(one.key) or named.get(one.id)
            if error is not None:
                self._refuse(one.key, _details(error), error.message or "")
            elif one.id in done:
                if final:
                    self._answers[one.key] = Answer(one.key, Verdict.ACCEPTED)
            else:
                message = "HubSpot's answer does not mention this record"
                self._answers[one.key] = Answer(
                    one.key, Verdict.UNKNOWN, "", message, "read the record to see what it holds"
                )

    def _refuse(self, key: str, details: Sequence[Detail], message: str) -> None:
        code, hint = explained(details)
        told = [one.message for one in details if one.message and one.message != message]
        message = "; ".join(told) or message
        self._answers[key] = Answer(key, Verdict.REFUSED, code, message, hint)

    def _unknown(self, inputs: Sequence[_Input], error: CrmtrailError) -> None:
        code = "AMBIGUOUS" if isinstance(error, Ambiguous) else "NOT_SENT"
        for one in inputs:
            self._answers[one.key] = Answer(
                one.key, Verdict.UNKNOWN, code, str(error), "read the record, then write again"
            )


def _turns(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Split writes so that no record occurs twice in one request: batches have no order."""
    left = list(writes)
    while left:
        turn = {write.ref.id: write for write in reversed(left)}
        yield [write for write in left if turn[write.ref.id] is write]
        left = [write for write in left if turn[write.ref.id] is not write]


def _properties(write: Write) -> dict[str, str]:
    return {name: spelled(token) for name, token in write.fields.items()}


def _named(errors: Sequence[BatchError]) -> Iterator[tuple[str, BatchError]]:
    """Yield each trace id and record id that an error names, with the error."""
    for error in errors:
        for name in ("objectWriteTraceId", "ids", "id"):
            yield from ((one, error) for one in error.named(name))


def _details(error: BatchError) -> Sequence[Detail]:
    return details_of(msgspec.to_builtins(error))
