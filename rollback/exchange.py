"""Talk to one CRM for an apply: read in batches, remember what is read, write."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from crmtrail.errors import Ambiguous, PermissionMissing, RecordRefused, Unavailable
from crmtrail.model import (
    Action,
    Answer,
    FieldType,
    Identity,
    Loss,
    Reading,
    Ref,
    Removal,
    Schema,
    Step,
    Token,
    Tokens,
    Verdict,
    Write,
    token_of,
    unknown,
    value_of,
)
from crmtrail.ports import Clock, Connector, Journalled, Notice, Store, ignore

_TICK: Final = timedelta(microseconds=1)


class Exchange:
    """One connector and the store that absorbs what it reads."""

    def __init__(self, connector: Connector, store: Store, clock: Clock, notice: Notice) -> None:
        self._connector = connector
        self._store = store
        self._clock = clock
        self._notice = notice
        self._started = connector.calls
        self._met: dict[str, Schema] = {}
        self._floor: datetime | None = None

    @property
    def calls(self) -> int:
        """How many requests this exchange has cost."""
        return self._connector.calls - self._started

    @property
    def source(self) -> str:
        """The source's name."""
        return self._connector.source

    @property
    def read_batch(self) -> int:
        """How many records one read may ask for."""
        return self._connector.read_batch

    @property
    def write_batch(self) -> int:
        """How many records one write may carry."""
        return self._connector.write_batch

    @property
    def bulk_batch(self) -> int:
        """How many records one bulk write may carry."""
        return self._connector.bulk_batch

    def identity(self) -> Identity:
        """Return whom the vendor takes us for; one request."""
        return self._connector.identity()

    def read(self, refs: Sequence[Ref], *, ours: bool = False) -> Mapping[str, Reading | Removal]:
        """Read records of one object with the vendor's history, and let the store absorb them.

        A colleague's repair that the preflight meets is in the history from here on, with its
        author, whatever becomes of the restore. A record of another id in answer to an id is the
        survivor of a merge (hubspot.md 4), and no state of the record asked for. ``ours``: what it
        shows is our own doing, which never alarms.
        """
        object_ = refs[0].object
        self._meet(object_)
        found: dict[str, Reading | Removal] = {}
        ids = [ref.id for ref in refs]
        size = self._connector.read_batch
        for start in range(0, len(ids), size):
            part = self._later(self._connector.read(object_, ids[start : start + size], trail=True))
            self._store.absorb(
                self._connector.source,
                object_,
                tuple(part.values()),
                notice=ignore if ours else self._notice,
            )
            found.update({id_: _own(object_, id_, each) for id_, each in part.items()})
        return found

    def write(self, writes: Sequence[Write]) -> Mapping[str, Answer]:
        """Write records of one object; an answer for every key, verdict unknown where in doubt.

        Raises:
            RetryLater: nothing was sent (throttled, or the budget is spent).
        """
        return _answered(self._connector.write, writes)

    def act(self, action: Action, writes: Sequence[Write]) -> Mapping[str, Answer]:
        """Undelete, make anew or remove records of one object; answers as of `write`.

        Raises:
            RetryLater: nothing was sent (throttled, or the budget is spent).
        """
        call = {
            Action.UNDELETE: self._connector.undelete,
            Action.CREATE: self._connector.recreate,
            Action.DELETE: self._connector.remove,
        }[action]
        return _answered(call, writes)

    def made(self, writes: Sequence[Write], since: datetime) -> Mapping[str, str | None]:
        """Look for records made anew of which no answer came; see `Connector.recreated`."""
        return self._connector.recreated(writes[0].ref.object, writes, since)

    def went_on(self, old: Ref, new: Ref, at: datetime) -> None:
        """Note that a record goes on as another; what came back under its own id is itself."""
        if old != new:
            self._store.succeed(old, new, at)

    def heirs(self, refs: Sequence[Ref]) -> Mapping[Ref, Ref]:
        """Return, for those of some records that were made anew, what they are now."""
        return self._store.heirs(refs)

    def current(self, steps: Sequence[Step]) -> list[Step]:
        """Return steps of one object with the ids that records made anew have now.

        That goes for the record of each, and for the records that its fields name.
        """
        named = [tuple(self._naming(step)) for step in steps]
        refs = {one.ref for names in named for one in names} | {step.ref for step in steps}
        heirs = self._store.heirs(sorted(refs))
        if not heirs:
            return list(steps)
        return [_renamed(step, names, heirs) for step, names in zip(steps, named, strict=True)]

    def renamed(self, batch: Sequence[Journalled]) -> tuple[Journalled, ...]:
        """Return journalled steps as `current` gives their steps."""
        current = self.current([each.step for each in batch])
        return tuple(replace(each, step=step) for each, step in zip(batch, current, strict=True))

    def _later(self, found: Mapping[str, Reading | Removal]) -> Mapping[str, Reading | Removal]:
        """Return what was read, later than all that was read before it.

        A vendor's clock may count whole seconds, and a record can come back within one.
        """
        floor = self._floor
        if floor is not None:
            found = {
                id_: replace(one, read_at=max(one.read_at, floor)) for id_, one in found.items()
            }
        newest = max((one.read_at for one in found.values()), default=floor)
        self._floor = None if newest is None else newest + _TICK
        return found

    def _naming(self, step: Step) -> Iterator["_Named"]:
        """Yield the records that the fields of a step name."""
        schema = self._meet(step.ref.object)
        for name in {*step.expect, *step.write}:
            described = schema.fields.get(name)
            if described is None or described.type is not FieldType.REFERENCE:
                continue
            for tokens in (step.expect, step.write):
                id_ = value_of(tokens[name]) if name in tokens else None
                if isinstance(id_, str):
                    for other in described.references:
                        yield _Named(name, tokens[name], Ref(step.ref.source, other, id_))

    def _meet(self, object_: str) -> Schema:
        """Look at an object's fields once: the connector reads what it knows."""
        if object_ not in self._met:
            self._met[object_] = self._connector.schema(object_)
        return self._met[object_]


@dataclass(frozen=True, slots=True)
class _Named:
    """A record that a field of a step names with a token."""

    field: str
    token: Token
    ref: Ref


def _renamed(step: Step, names: Sequence[_Named], heirs: Mapping[Ref, Ref]) -> Step:
    now = {(one.field, one.token): token_of(heirs[one.ref].id) for one in names if one.ref in heirs}

    def renamed(tokens: Tokens) -> dict[str, Token]:
        return {name: now.get((name, token), token) for name, token in tokens.items()}

    return replace(
        step,
        ref=heirs.get(step.ref, step.ref),
        expect=renamed(step.expect),
        write=renamed(step.write),
    )


def _answered(
    call: Callable[[str, Sequence[Write]], Sequence[Answer]], writes: Sequence[Write]
) -> Mapping[str, Answer]:
    """Return an answer for every key, verdict unknown where in doubt."""
    try:
        answers = call(writes[0].ref.object, writes)
    except (Ambiguous, Unavailable):
        return {write.key: Answer(write.key, Verdict.UNKNOWN) for write in writes}
    except (PermissionMissing, RecordRefused) as error:
        return {
            write.key: Answer(write.key, Verdict.REFUSED, message=str(error), hint=error.hint)
            for write in writes
        }
    told = {answer.key: answer for answer in answers}
    return {write.key: told.get(write.key, Answer(write.key, Verdict.UNKNOWN)) for write in writes}


def _own(object_: str, id_: str, found: Reading | Removal) -> Reading | Removal:
    if isinstance(found, Removal) or found.ref.id == id_:
        return found
    return Removal(
        ref=Ref(found.ref.source, object_, id_),
        loss=Loss.MERGED,
        read_at=found.read_at,
        at=None,
        actor=unknown("the CRM answers with the surviving record only"),
        merged_into=found.ref.id,
    )
