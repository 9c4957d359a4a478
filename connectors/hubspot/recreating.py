"""Making records anew: under a new id, with the properties that may be set.

HubSpot knows no key that would keep a record from being made twice: `objectWriteTraceId` names an
input within one answer, no more. So after a lost answer the record is looked for, by a unique value
at once, else by when it was made and all its values; it is never simply made again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from connectors.hubspot.client import Client
from connectors.hubspot.fitness import flaws
from connectors.hubspot.halving import Halving, Input, Word, failures, sorted_word
from connectors.hubspot.matching import fits, paired, sole
from connectors.hubspot.object_names import standard_name
from connectors.hubspot.owning import Owners, owners_in
from connectors.hubspot.posts import Made, Posts
from connectors.hubspot.seeking import Seeking
from connectors.hubspot.words import advice
from connectors.hubspot.writing import spelled
from crmtrail.errors import Ambiguous, CrmtrailError, Unavailable
from crmtrail.model import Answer, Field, Verdict, Write

_MADE: Final = (
    "made anew under another id: its history, activities and list memberships stay with the old one"
)
_TICK: Final = timedelta(seconds=2)
"""The Date header counts whole seconds, and clocks of one vendor differ a little."""

_SEARCHABLE: Final = timedelta(minutes=10)
"""After so long the search is taken to show a new record: HubSpot says "a few moments"."""

_OWNER: Final = "owner"
_CREATED: Final = "createdate"


@dataclass(frozen=True, slots=True)
class Remake:
    """What of a record can be made anew.

    ``left`` says of each field that cannot be set why; ``missing`` are required ones without value.
    """

    values: Mapping[str, str]
    left: Mapping[str, str]
    missing: Sequence[str]


def remake(write: Write, fields: Mapping[str, Field]) -> Remake:
    """Return what of a record can be made anew. Pure.

    What HubSpot writes itself is not even told; ``fields`` empty lets HubSpot decide.
    """
    given = {n: spelled(token, fields.get(n)) for n, token in write.fields.items()}
    given = {name: text for name, text in given.items() if text}
    own = {name for name in given if name in fields and not fields[name].createable}
    asked = {name: text for name, text in given.items() if name not in own}
    out = {flaw.field: flaw.message for flaw in flaws(asked, fields)
           if not _createable(flaw.field, flaw.code, fields)}  # fmt: skip
    values = {name: text for name, text in asked.items() if name not in out}
    missing = sorted(name for name, field in fields.items() if field.required
                     and name not in values and field.createable)  # fmt: skip
    return Remake(values, out, missing)


def _createable(name: str, code: str, fields: Mapping[str, Field]) -> bool:
    """Whether the flaw is only that the property cannot be changed later."""
    return code == "READ_ONLY_VALUE" and name in fields and fields[name].createable


class Recreation:
    """Makes records of one object anew, at most 100 at once.

    Args:
        client: the API.
        object_: the object.
        fields: its properties; none where the token may not read them.
        owners: knows who is active.
        made: ids of records that were made anew before; those made here are added.
    """

    def __init__(
        self,
        client: Client,
        object_: str,
        fields: Mapping[str, Field],
        owners: Owners,
        made: set[str] | None = None,
    ) -> None:
        self._client = client
        self._posts = Posts(client)
        self._object = object_
        self._fields = fields
        self._owners = owners
        self._made = set() if made is None else made
        stamp = _CREATED if _CREATED in fields else f"hs_{_CREATED}"
        self._seeking = Seeking(client, object_, self._unique(), stamp)

    def make(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew; the answers carry their new ids.

        Where an answer is lost, the record is looked for; one that cannot be told has verdict
        ``unknown`` and is not made again: see `found`.

        Raises:
            Throttled: nothing was sent.
        """
        plans = self._plans(writes)
        halving = Halving()
        since = self._client.transport.now() - _TICK
        for turn in self._turns([w for w in writes if not plans[w.key].missing], plans):
            inputs = [_input(write, plans[write.key]) for write in turn]
            halving.send(inputs, partial(self._posted, since), _accepted)
        answers = {w.key: _lacking(w, p) for w in writes if (p := plans[w.key]).missing}
        answers |= halving.answers
        self._made |= {answer.id for answer in answers.values() if answer.id}
        return [_noted(answers[write.key], plans[write.key]) for write in writes]

    def found(self, writes: Sequence[Write], since: datetime) -> Mapping[str, str | None]:
        """Look for records that were made anew by requests of which the answer was lost.

        A key is absent where a record may safely be made: HubSpot would refuse another with the
        same unique value, or the search had time enough to show one. It is None where it cannot
        be told: several match, there is nothing by which to know it, or it is too early.

        Args:
            writes: as they were given to `make`.
            since: HubSpot's clock before the first of them was sent.
        """
        plans = self._plans(writes)
        wanted = {write.key: plans[write.key].values for write in writes}
        told: dict[str, str | None] = dict(self._seeking.by_unique(wanted, since).mine)
        rest = {
            key: values
            for key, values in wanted.items()
            if key not in told and not any(values.get(name) for name in self._unique())
        }
        return {**told, **self._matched(rest, since)} if rest else told

    def _matched(
        self, wanted: Mapping[str, Mapping[str, str]], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records without a unique value by all the values that they were given."""
        names = sorted({name for values in wanted.values() for name in values})
        try:
            things = self._seeking.made_since(since, names)
        except Unavailable:
            return dict.fromkeys(wanted)
        others = [one for one in things if str(one.id) not in self._made]
        matches = {key: fits(values, others) for key, values in wanted.items()}
        early = self._client.transport.now() - since < _SEARCHABLE
        told: dict[str, str | None] = {}
        for key, ids in matches.items():
            if ids or early or not wanted[key]:
                told[key] = sole(ids, matches.values())
        return told

    def _plans(self, writes: Sequence[Write]) -> Mapping[str, Remake]:
        plans = {write.key: remake(write, self._fields) for write in writes}
        owned = {name for name, field in self._fields.items() if _OWNER in field.references}
        gone = self._owners.inactive_in([plan.values for plan in plans.values()], owned)
        return {key: _unowned(plan, owned, gone) for key, plan in plans.items()} if gone else plans

    def _unique(self) -> Sequence[str]:
        """Return the properties by which one record is known, the surest first."""
        names = [name for name, field in self._fields.items() if field.unique]
        email = ["email"] if standard_name(self._object) == "contacts" else []
        return [*email, *(name for name in names if name not in email)]

    def _turns(
        self, writes: Sequence[Write], plans: Mapping[str, Remake]
    ) -> Iterator[Sequence[Write]]:
        """Split writes so that no two inputs of a request are alike.

        HubSpot makes one line item of several that are the same, and does not say so.
        """
        left = list(writes)
        while left:
            first: dict[frozenset[tuple[str, str]], Write] = {}
            for write in left:
                first.setdefault(frozenset(plans[write.key].values.items()), write)
            turn = list(first.values())
            yield turn
            taken = {write.key for write in turn}
            left = [write for write in left if write.key not in taken]

    def _posted(self, since: datetime, inputs: Sequence[Input]) -> Word:
        try:
            told = self._posts.create(self._object, [one.body for one in inputs])
        except Ambiguous:
            return self._lost(inputs, since)
        failed = failures(inputs, told.errors or ())
        rest = [one for one in inputs if one.key not in failed]
        return sorted_word(inputs, paired(rest, told.results), told.errors)

    def _lost(self, inputs: Sequence[Input], since: datetime) -> Word:
        """Look for records by their unique values; what is not found may be there all the same."""
        wanted: dict[str, Mapping[str, str]] = {one.key: one.body["properties"] for one in inputs}
        try:
            looked = self._seeking.by_unique(wanted, since)
        except CrmtrailError:  # raised, it would say that nothing was sent
            return Word()
        done: dict[str, Made | None] = {key: Made(id=id_) for key, id_ in looked.mine.items()}
        return Word(done, looked.others)


def _input(write: Write, plan: Remake) -> Input:
    body: dict[str, Any] = {
        "properties": dict(plan.values),
        "associations": [],
        "objectWriteTraceId": write.key,
    }
    return Input(write.key, write.ref.id, body)


def _accepted(one: Input, made: Made | None) -> Answer:
    if made is None:
        return Answer(one.key, Verdict.UNKNOWN, "", "HubSpot made a record and did not say its id")
    warned = [each.told() for each in made.warnings or ()]
    return Answer(one.key, Verdict.ACCEPTED, message="; ".join([_MADE, *warned]), id=str(made.id))


def _noted(answer: Answer, plan: Remake) -> Answer:
    if answer.verdict is Verdict.UNKNOWN:
        hint = "look for it in HubSpot before anything else: made twice, it would be there twice"
        return replace(answer, hint=hint)
    if answer.verdict is not Verdict.ACCEPTED or not plan.left:
        return answer
    left = "; ".join(f"{name} is not set: {why}" for name, why in plan.left.items())
    return replace(answer, message=f"{answer.message}; {left}")


def _lacking(write: Write, plan: Remake) -> Answer:
    code = "MISSING_REQUIRED_PROPERTY"
    message = f"HubSpot requires {', '.join(plan.missing)}; nothing was sent"
    return Answer(write.key, Verdict.REFUSED, code, message, advice(code, plan.missing))


def _unowned(plan: Remake, owned: set[str], gone: set[str]) -> Remake:
    out = {n: t for n, t in plan.values.items() if n in owned and owners_in(t) & gone}
    values = {name: text for name, text in plan.values.items() if name not in out}
    left = {name: f"owner {text} is gone or inactive" for name, text in out.items()}
    return Remake(values, {**plan.left, **left}, plan.missing)
