"""Writing associations: a record of a pair of objects is made, given other labels, or removed.

Every write looks before and after: HubSpot answers a removal the same whether there was something
to remove or not, and a lost answer is settled by what is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

from connectors.hubspot.associations_api import AssociationsApi
from connectors.hubspot.associations_readings import ends_of_record
from connectors.hubspot.client import Client
from connectors.hubspot.halving import Halving, Input, Word, failures, unjudged
from connectors.hubspot.posts import Links, Posts
from connectors.hubspot.words import advice
from crmtrail.errors import Ambiguous
from crmtrail.model import NULL, Answer, Reading, Ref, Removal, Verdict, Write, value_of

_TYPES: Final = "types"
_OURS: Final = frozenset({_TYPES, "from", "to", "labels"})

Types: TypeAlias = frozenset[tuple[str, int]]
"""Category and type id of each, as the first object's record sees them."""

Read: TypeAlias = Callable[[Sequence[str]], Mapping[str, Reading | Removal]]
Post: TypeAlias = Callable[[str, str, Sequence[Mapping[str, Any]]], Links]


class Associating:
    """Writes the associations of one pair of objects, at most 100 at once.

    Args:
        client: the API.
        pair: the two objects, in the order in which their pair is named.
        read: reads associations of the pair by id.
    """

    def __init__(self, client: Client, pair: tuple[str, str], read: Read) -> None:
        self._posts = Posts(client)
        self._api = AssociationsApi(client)
        self._pair = pair
        self._read = read

    def make(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Associate records again, with the labels that each association had.

        Without any type, the plain association is made.

        Raises:
            Throttled: nothing was sent.
            Ambiguous: there is no word on what became of any of them, and no reading either.
        """
        return _Setting(self, writes, anew=True).answers()

    def write(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Give associations exactly these labels; what has none at all is dissociated.

        Raises as `make`.
        """
        return _Setting(self, writes, anew=False).answers()

    def remove(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take associations away, with all their labels. Raises as `make`."""
        return _Setting(self, writes, anew=False, none=True).answers()

    def found(self, writes: Sequence[Write]) -> Mapping[str, str | None]:
        """Return the ids of those associations that are there, by key; making one twice is once."""
        ids = {write.key: _as_now(write).ref.id for write in writes}
        there = self.now(list(ids.values()))
        return {key: id_ for key, id_ in ids.items() if id_ in there}

    def now(self, ids: Sequence[str]) -> Mapping[str, Types]:
        """Return the types that associations have; those that are not there are absent."""
        found = self._read(list(dict.fromkeys(ids)))
        return {
            id_: _types(reading.fields.get(_TYPES, NULL)) or frozenset()
            for id_, reading in found.items()
            if isinstance(reading, Reading) and not reading.deleted
        }

    def plain(self) -> Types:
        """Return the types without a label: they go with every labelled association."""
        first, second = self._pair
        return frozenset(
            (one.category, int(one.type_id))
            for one in self._api.labels(first, second)
            if not one.label
        )

    def create(self, halving: Halving, inputs: Sequence[Input]) -> None:
        """Make associations."""
        halving.send(inputs, partial(self._posted, self._posts.associate), unjudged)

    def unlabel(self, halving: Halving, inputs: Sequence[Input]) -> None:
        """Take single labels away."""
        halving.send(inputs, partial(self._posted, self._posts.unlabel), unjudged)

    def dissociate(self, halving: Halving, inputs: Sequence[Input]) -> None:
        """Take associations away."""
        halving.send(inputs, partial(self._posted, self._posts.dissociate), unjudged)

    def _posted(self, post: Post, inputs: Sequence[Input]) -> Word:
        first, second = self._pair
        told = post(first, second, [one.body for one in inputs])
        failed = failures(inputs, told.errors or ())
        for error in told.errors or ():
            ends = {*error.named("fromObjectId"), *error.named("toObjectId")}
            failed |= {one.key: error for one in inputs if ends and ends <= set(_ends(one.id))}
        return Word({one.key: None for one in inputs}, failed)


class _Setting:
    """One batch: what is there, what is wanted, what is sent, what is there then."""

    def __init__(
        self, to: Associating, writes: Sequence[Write], *, anew: bool, none: bool = False
    ) -> None:
        self._to = to
        self._anew = anew
        self._writes = [_as_now(write) for write in writes] if anew else writes
        self._halving = Halving()
        self._plain: Types | None = None
        self._refused: dict[str, Answer] = {}
        self._wanted: dict[str, Types] = {}
        for write in self._writes:
            wanted = frozenset[tuple[str, int]]() if none else self._asked(write, anew=anew)
            if wanted is not None:
                self._wanted[write.key] = wanted

    def answers(self) -> Sequence[Answer]:
        """Carry it out."""
        due = [write for write in self._writes if write.key in self._wanted]
        ids = [write.ref.id for write in due]
        before = self._to.now(ids) if ids else {}
        lost: Ambiguous | None = None
        try:
            self._sent(due, before)
        except Ambiguous as error:
            lost = error
        after = self._to.now(ids) if ids else {}
        return [
            self._refused.get(write.key) or self._answer(write, before, after, lost)
            for write in self._writes
        ]

    def _asked(self, write: Write, *, anew: bool) -> Types | None:
        """Return the types that a write asks for; None where it is refused."""
        other = sorted(write.fields.keys() - _OURS)
        types = _types(write.fields.get(_TYPES, NULL))
        if _ends(write.ref.id) == ("", ""):
            self._no(write, "OBJECT_NOT_FOUND", f"{write.ref.id} names no two records")
            return None
        if not anew and (other or _TYPES not in write.fields):
            message = f"{', '.join(sorted(write.fields))}: only the types of an association can be"
            self._no(write, "READ_ONLY_VALUE", f"{message} written")
            return None
        if types is None:
            message = "types: a list of category:number is wanted, such as HUBSPOT_DEFINED:279"
            self._no(write, "ASSOCIATION_TYPE_MISSING", message)
            return None
        return types or (self._plain_types() if anew else types)

    def _no(self, write: Write, code: str, message: str) -> None:
        names = sorted(write.fields)
        answer = Answer(write.key, Verdict.REFUSED, code, message, advice(code, names))
        self._refused[write.key] = answer

    def _plain_types(self) -> Types:
        if self._plain is None:
            self._plain = self._to.plain()
        return self._plain

    def _sent(self, due: Sequence[Write], before: Mapping[str, Types]) -> None:
        add, cut, end = [], [], []
        for write in due:
            now, wanted = before.get(write.ref.id), self._wanted[write.key]
            if not wanted:
                end += [_gone(write)] if now is not None else []
                continue
            if new := wanted - (now or frozenset()):
                add.append(_typed(write, new))
            # The plain type stays beside its labels: taking it away takes them all.
            if (old := (now or frozenset()) - wanted) and (old := old - self._plain_types()):
                cut.append(_typed(write, old))
        self._to.create(self._halving, add)
        failed = self._halving.answers
        self._to.unlabel(self._halving, [one for one in cut if one.key not in failed])
        self._to.dissociate(self._halving, end)

    def _answer(
        self,
        write: Write,
        before: Mapping[str, Types],
        after: Mapping[str, Types],
        lost: Ambiguous | None,
    ) -> Answer:
        now, wanted = after.get(write.ref.id), self._wanted[write.key]
        new_id = write.ref.id if self._anew else None
        if self._is_so(now, wanted):
            same = self._is_so(before.get(write.ref.id), wanted)
            message = "it was so already" if same else ""
            return Answer(write.key, Verdict.ACCEPTED, message=message, id=new_id)
        told = self._halving.answers.get(write.key)
        if told is not None:
            return told
        message = str(lost) if lost else "HubSpot accepted it, but the association is not so"
        code = "AMBIGUOUS" if lost else ""
        return Answer(write.key, Verdict.UNKNOWN, code, message, "look at it, then apply again")

    def _is_so(self, now: Types | None, wanted: Types) -> bool:
        if now is None or not wanted:
            return now is None and not wanted
        return now == wanted or now - self._plain_types() == wanted - self._plain_types()


def _as_now(write: Write) -> Write:
    """Return a write under the ids that its ends have now: a record made anew has another one."""
    both = [value_of(write.fields.get(name, NULL)) for name in ("from", "to")]
    if not all(isinstance(one, str) and one for one in both):
        return write
    id_ = "-".join(both)
    return replace(write, ref=Ref(write.ref.source, write.ref.object, id_))


def _ends(id_: str) -> tuple[str, str]:
    return ends_of_record(id_) or ("", "")


def _typed(write: Write, types: Types) -> Input:
    from_, to = _ends(write.ref.id)
    spec = [
        {"associationCategory": category, "associationTypeId": number}
        for category, number in sorted(types)
    ]
    return Input(write.key, write.ref.id, {"from": {"id": from_}, "to": {"id": to}, "types": spec})


def _gone(write: Write) -> Input:
    from_, to = _ends(write.ref.id)
    return Input(write.key, write.ref.id, {"from": {"id": from_}, "to": [{"id": to}]})


def _types(token: str) -> Types | None:
    """Read a list of ``CATEGORY:typeId``; blank is none, None is no such list."""
    told = value_of(token) or []
    if not isinstance(told, list):
        return None
    pairs = [str(one).partition(":") for one in told]
    if not all(category and number.isdecimal() for category, _, number in pairs):
        return None
    return frozenset((category, int(number)) for category, _, number in pairs)
