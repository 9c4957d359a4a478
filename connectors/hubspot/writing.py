"""Setting field values: one batch, told apart record by record.

What HubSpot would not take is left out before it is sent, and told; the rest of the record goes.
Whether it stayed is for the caller to read: HubSpot takes some values without keeping them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from connectors.hubspot.admin_rules import Kept, breaches
from connectors.hubspot.client import Client
from connectors.hubspot.fitness import (
    STAGE,
    STAGES,
    Flaw,
    asked_of,
    bars,
    completed,
    flaws,
    partly,
    refused,
    without,
)
from connectors.hubspot.halving import Halving, Input, Word, sorted_word
from connectors.hubspot.owning import Owners, owners_in
from connectors.hubspot.posts import RECORDS, Made, Posts
from connectors.hubspot.readings import plain
from connectors.hubspot.refusals import Refusal
from crmtrail.errors import CrmtrailError
from crmtrail.model import NULL, Answer, Field, FieldType, Token, Verdict, Write

WRITE_BATCH: Final = RECORDS
_OWNER: Final = "owner"


def spelled(token: Token, field: Field | None = None) -> str:
    """Return a token as HubSpot takes it: text always, and "" for a blank.

    A list of choices starting with ";" would be appended to the present ones, so that is cut,
    also where it is not known what the field holds.
    """
    if token == NULL:
        return ""
    if not token.startswith('"'):
        return token
    text: str = json.loads(token)
    return text.lstrip(";") if field is None or field.type is FieldType.MULTICHOICE else text


class Writing:
    """Writes one batch and collects the verdicts; nothing is sent twice.

    Args:
        client: the API.
        object_: the object.
        fields: its properties; none where the token may not read them.
        owners: knows who is active.
        rules: what an admin set for the object's properties.
    """

    def __init__(
        self,
        client: Client,
        object_: str,
        fields: Mapping[str, Field],
        owners: Owners | None = None,
        rules: Kept | None = None,
    ) -> None:
        self._client = client
        self._posts = Posts(client)
        self._object = object_
        self._fields = fields
        self._owners = owners or Owners(client)
        self._rules = rules or {}
        self._flaws: dict[str, list[Flaw]] = {}
        self._halving = Halving()

    def write(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Carry out the writes and answer each, in their order.

        Raises:
            Throttled: nothing was sent.
            Ambiguous: the whole batch may or may not have landed.
        """
        values = {write.key: self._fit(write) for write in writes}
        self._own(values)
        for turn in _turns([write for write in writes if values[write.key]]):
            self._turn(turn, values)
        return [self._answer(write) for write in writes]

    def _fit(self, write: Write) -> dict[str, str]:
        fields = self._fields
        values = {n: spelled(token, fields.get(n)) for n, token in write.fields.items()}
        found = flaws(values, fields)
        fit = without(values, found, self._object)
        broken = breaches(fit, self._rules)
        self._flaws[write.key] = found + broken
        return without(fit, broken, self._object)

    def _own(self, values: dict[str, dict[str, str]]) -> None:
        """Leave out owners who are not active."""
        owned = {name for name, field in self._fields.items() if _OWNER in field.references}
        gone = self._owners.inactive_in(values.values(), owned)
        for key, each in values.items():
            for name in sorted(owned & each.keys()):
                if owners_in(each[name]) & gone:
                    message = f"{name}: owner {each.pop(name)} is gone or inactive"
                    self._flaws[key].append(Flaw("INVALID_OWNER_ID", name, message))

    def _turn(self, turn: Sequence[Write], values: dict[str, dict[str, str]]) -> None:
        try:
            now = self._now(turn, values)
        except CrmtrailError as error:
            if not self._halving.landed:
                raise
            self._halving.doubt([_input(write, values[write.key]) for write in turn], error)
            return
        ready: list[tuple[Write, dict[str, str]]] = []
        for write in turn:
            held = now.get(write.ref.id, {})
            found = bars(self._object, values[write.key], held)
            self._flaws[write.key] += found
            sent = without(values[write.key], found, self._object)
            if sent:
                ready.append((write, completed(self._object, sent, held)))
        back = [
            (write, {STAGE: ""})
            for write, sent in ready
            if self._is_back(now.get(write.ref.id, {}).get(STAGE), sent.get(STAGE))
        ]
        self._send([_input(write, sent, ".blank") for write, sent in back], final=False)
        answered = self._halving.answers
        self._send([_input(write, sent) for write, sent in ready if write.key not in answered])

    def _now(
        self, turn: Sequence[Write], values: Mapping[str, Mapping[str, str]]
    ) -> Mapping[str, Mapping[str, str | None]]:
        """Return what must be known of records before they are written; one read, if anything."""
        asked = {write.ref.id: asked_of(self._object, values[write.key]) for write in turn}
        names = sorted(set().union(*asked.values()))
        ids = [id_ for id_, some in asked.items() if some]
        if not ids:
            return {}
        try:
            told = self._client.batch(self._object, ids, names=names).content
        except Refusal:  # what cannot be looked at is for HubSpot to judge
            return {}
        return {
            str(one.id): {name: plain(one.properties.get(name)) for name in names}
            for one in told.results
        }

    def _is_back(self, present: str | None, target: str | None) -> bool:
        if not target or present is None or present == target:
            return False
        own = self._fields[STAGE].options if STAGE in self._fields else ()
        orders = [one for one in (own, STAGES) if present in one and target in one]
        # Where no order is known, or two differ, clearing first works either way.
        ahead = [one.index(target) > one.index(present) for one in orders]
        return not ahead or not all(ahead)

    def _send(self, inputs: Sequence[Input], *, final: bool = True) -> None:
        """Send a request; only the ``final`` one of a record makes its verdict ACCEPTED."""
        post = partial(updated, self._posts, self._object)
        self._halving.send(inputs, post, accepted if final else _later)

    def _answer(self, write: Write) -> Answer:
        found = self._flaws[write.key]
        answer = self._halving.answers.get(write.key)
        if answer is None:
            # Nothing was sent of it: all of it was left out, or there was nothing to write.
            return refused(write, found) if found else Answer(write.key, Verdict.ACCEPTED)
        return partly(answer, found) if found else answer


def updated(posts: Posts, object_: str, inputs: Sequence[Input]) -> Word:
    """Send one update and sort what HubSpot says of it."""
    told = posts.update(object_, [one.body for one in inputs])
    traces = {one.body["objectWriteTraceId"]: one.key for one in inputs}
    ids = {one.id: one.key for one in inputs}
    done: dict[str, Made | None] = {}
    for made in told.results:
        key = traces.get(made.trace or "") or ids.get(str(made.id))
        if key is not None:
            done[key] = made
    return sorted_word(inputs, done, told.errors)


def accepted(one: Input, made: Made | None) -> Answer:
    """Return the answer of a record that HubSpot took, with its warnings."""
    if made is not None and str(made.id) != one.id:
        message = f"HubSpot wrote to record {made.id}, into which this one was merged"
        hint = "look at that record's history, and put it back by its own plan"
        return Answer(one.key, Verdict.UNKNOWN, "MERGED", message, hint)
    warned = "; ".join(each.told() for each in (made.warnings if made else None) or ())
    return Answer(one.key, Verdict.ACCEPTED, message=warned)


def _later(one: Input, made: Made | None) -> Answer | None:
    """Leave the verdict to the request that comes after this one, unless the record is gone."""
    answer = accepted(one, made)
    return None if answer.verdict is Verdict.ACCEPTED else answer


def _input(write: Write, values: Mapping[str, str], trace: str = "") -> Input:
    key = f"{write.key}{trace}"
    body = {"id": write.ref.id, "properties": dict(values), "objectWriteTraceId": key}
    return Input(write.key, write.ref.id, body)


def _turns(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Split writes so that no record occurs twice in one request: batches have no order."""
    left = list(writes)
    while left:
        turn = {write.ref.id: write for write in reversed(left)}
        yield [write for write in left if turn[write.ref.id] is write]
        left = [write for write in left if turn[write.ref.id] is not write]
