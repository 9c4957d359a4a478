"""A CRM in memory behind the port `Connector`: stamps, authors, history, and faults on demand."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crmtrail.errors import Ambiguous, Mistake
from crmtrail.model import (
    NULL,
    Actor,
    Answer,
    Event,
    Identity,
    Loss,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    Schema,
    Token,
    Tokens,
    Usage,
    Verdict,
    Write,
    moment,
    stamp,
    token_of,
)
from support.restoring import SYNC, T0, US


class Ticking:
    """A clock that moves on by a second whenever somebody looks at it."""

    def __init__(self, start: datetime = T0) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def move(self, step: timedelta) -> None:
        self._now += step


@dataclass
class Thing:
    """One record as the CRM holds it."""

    fields: dict[str, Token]
    modified_at: datetime
    edited_at: datetime
    actor: Actor
    created_at: datetime
    deleted: bool = False
    trail: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one write request: it is lost, or its answer is."""

    landed: bool
    error: Exception = field(default_factory=lambda: Ambiguous("the connection broke"))


class MemoryConnector:
    """One account of a CRM that keeps its records in memory.

    Attributes:
        boundary: called with a name wherever a process could die; it may raise.
        audit: called with the writes before any of them is carried out.
        meanwhile: called once, right after the next write landed and before it is answered.
        refusals: the answer for each id that is refused.
        unkept: ids whose writes are accepted and silently dropped.
        altered: for each id, the token that the CRM stores instead of any that is written.
        faults: for each write request from now on, its fault or None.
        silent: ids that a write's answer does not mention.
        undeletes: whether records come out of the recycle bin.
        telling: whether records made anew can be told apart, when no answer came.
        hidden: ids that a read does not answer for.
        survivors: for an id that was merged away, the record that answers in its place.
        written: every write request, in order.
        made: by id of a record made anew, the key of the write.
        effective: by write key, how often a write changed something.
        over: every value that a write went over, with the write's key and the field.
    """

    def __init__(
        self,
        schema: Schema,
        clock: Ticking,
        *,
        read_batch: int = 50,
        write_batch: int = 100,
        history: bool = True,
    ) -> None:
        self.source = schema.source
        self.read_batch = read_batch
        self.write_batch = write_batch
        self.bulk_batch = write_batch
        self.undeletes = True
        self.telling = True
        self.things: dict[str, Thing] = {}
        self.boundary: Callable[[str], None] = lambda _name: None
        self.audit: Callable[[Sequence[Write]], None] = lambda _writes: None
        self.meanwhile: Callable[[], None] | None = None
        self.refusals: dict[str, Answer] = {}
        self.unkept: set[str] = set()
        self.altered: dict[str, Token] = {}
        self.faults: list[Fault | None] = []
        self.silent: set[str] = set()
        self.hidden: set[str] = set()
        self.survivors: dict[str, str] = {}
        self.made: dict[str, str] = {}
        self.effective: Counter[str] = Counter()
        self.over: list[tuple[str, str, Token | None]] = []
        self.written: list[tuple[Write, ...]] = []
        self.account = "org-1"
        self._schema = schema
        self._clock = clock
        self._history = history
        self._calls = 0

    # --- what people and other apps do -----------------------------------------------------

    def create(self, id_: str, fields: Tokens, actor: Actor = SYNC) -> Ref:
        now = self._clock.now()
        events = [Event(name, token, now, actor) for name, token in fields.items()]
        self.things[id_] = Thing(dict(fields), now, now, actor, now, trail=events)
        return Ref(self.source, self._schema.object, id_)

    def edit(self, id_: str, fields: Tokens, actor: Actor) -> None:
        thing = self.things[id_]
        now = self._clock.now()
        thing.modified_at = thing.edited_at = now
        thing.actor = actor
        for name, token in fields.items():
            if thing.fields.get(name) != token:
                thing.fields[name] = token
                thing.trail.append(Event(name, token, now, actor))

    def delete(self, id_: str, actor: Actor) -> None:
        thing = self.things[id_]
        thing.modified_at = self._clock.now()
        thing.deleted = True
        thing.actor = actor

    def value(self, id_: str, name: str) -> Token:
        return self.things[id_].fields[name]

    def learn(self, schema: Schema) -> None:
        """Have other fields from now on."""
        self._schema = schema

    # --- the port ----------------------------------------------------------------------------

    @property
    def calls(self) -> int:
        return self._calls

    def identity(self) -> Identity:
        self._call("identity")
        return Identity(self.account, US.id or "", "crmtrail")

    def objects(self, group: str = "") -> Sequence[str]:
        self._call("objects")
        if group:
            raise Mistake(f"there is no group @{group}")
        return (self._schema.object,)

    def schema(self, object_: str) -> Schema:
        self._call("schema")
        if object_ != self._schema.object:
            raise Mistake(f"there is no object {object_}")
        return self._schema

    def named(self, object_: str) -> str:
        return object_

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        del objects
        return ()

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        del object_
        if position is None or mode is Mode.FULL:
            return json.dumps({"since": stamp(T0 - timedelta(days=1)), "after": ""})
        return position

    def page(self, object_: str, cursor: str) -> Page:
        self._call("page")
        position = json.loads(cursor)
        since = moment(position["since"])
        changed = sorted(
            id_
            for id_, thing in self.things.items()
            if thing.modified_at >= since and id_ > position["after"]
        )
        found = [self._told(id_, trail=True) for id_ in changed[:100]]
        done = len(changed) <= len(found)
        now = self._clock.now()
        next_ = {"since": stamp(now), "after": ""} if done else position | {"after": changed[99]}
        return Page(
            object=object_,
            cursor=json.dumps(next_),
            done=done,
            readings=[one for one in found if isinstance(one, Reading)],
            removals=[one for one in found if isinstance(one, Removal)],
            complete_to=now if done else None,
            watermark=now if done else None,
        )

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        assert len(ids) <= self.read_batch
        assert object_ == self._schema.object
        self._call("read")
        found = {
            id_: self._told(self.survivors.get(id_, id_), trail=trail)
            for id_ in ids
            if id_ in self.things and id_ not in self.hidden
        }
        self.boundary("read answered")
        return found

    def price(self, records: int) -> tuple[int, int]:
        return -(-records // self.read_batch), -(-records // self.write_batch)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        assert len(writes) <= self.write_batch
        assert object_ == self._schema.object
        assert len({write.ref.id for write in writes}) == len(writes)
        self._call("write")
        self.audit(writes)
        self.written.append(tuple(writes))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not fault.landed:
            raise fault.error
        answers = list(self._carried_out(writes))
        self.boundary("write landed")
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        if fault is not None:
            raise fault.error
        self.boundary("write answered")
        return answers

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._one_by_one(object_, "undelete", writes, self._undeleted)

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._one_by_one(object_, "recreate", writes, self._made_anew)

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        assert object_ == self._schema.object
        self._call("recreated")
        if not self.telling:
            return {write.key: None for write in writes}
        return {
            write.key: id_
            for write in writes
            for id_, key in self.made.items()
            if key == write.key and self.things[id_].created_at >= since
        }

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._one_by_one(object_, "remove", writes, self._removed)

    def usage(self) -> Usage:
        return Usage()

    def close(self) -> None:
        return

    def _one_by_one(
        self,
        object_: str,
        what: str,
        writes: Sequence[Write],
        carry_out: Callable[[Write], Answer],
    ) -> Sequence[Answer]:
        assert object_ == self._schema.object
        assert len(writes) <= self.write_batch
        self._call(what)
        self.audit(writes)
        self.written.append(tuple(writes))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not fault.landed:
            raise fault.error
        answers = [self.refusals.get(write.ref.id) or carry_out(write) for write in writes]
        self.boundary(f"{what} landed")
        if fault is not None:
            raise fault.error
        self.boundary(f"{what} answered")
        return answers

    def _undeleted(self, write: Write) -> Answer:
        thing = self.things.get(write.ref.id)
        if thing is None or not thing.deleted:
            return Answer(write.key, Verdict.REFUSED, "UNDELETE_FAILED", "not in the recycle bin")
        self._stamp(thing)
        thing.deleted = False
        return Answer(write.key, Verdict.ACCEPTED)

    def _made_anew(self, write: Write) -> Answer:
        id_ = f"new{len(self.things):015d}"
        self.create(id_, {**dict.fromkeys(self._schema.fields, NULL), **write.fields}, US)
        self.made[id_] = write.key
        return Answer(write.key, Verdict.ACCEPTED, id=id_)

    def _removed(self, write: Write) -> Answer:
        thing = self.things.get(write.ref.id)
        if thing is None or thing.deleted:
            return Answer(write.key, Verdict.REFUSED, "ENTITY_IS_DELETED", "entity is deleted")
        self._stamp(thing)
        thing.deleted = True
        return Answer(write.key, Verdict.ACCEPTED)

    def _stamp(self, thing: Thing) -> None:
        thing.modified_at = thing.edited_at = self._clock.now()
        thing.actor = US

    def _call(self, name: str) -> None:
        self.boundary(name)
        self._calls += 1

    def _carried_out(self, writes: Sequence[Write]) -> Iterator[Answer]:
        for write in writes:
            id_ = write.ref.id
            if id_ in self.refusals:
                answer = replace(self.refusals[id_], key=write.key)
            elif id_ not in self.things or self.things[id_].deleted:
                answer = Answer(write.key, Verdict.REFUSED, "ENTITY_IS_DELETED", "it is deleted")
            else:
                answer = Answer(write.key, Verdict.ACCEPTED)
                self._keep(write)
            if id_ not in self.silent:
                yield answer

    def _keep(self, write: Write) -> None:
        id_ = write.ref.id
        if id_ in self.unkept:
            return
        fields = {
            name: self.altered.get(id_, self._stored(token)) for name, token in write.fields.items()
        }
        held = self.things[id_].fields
        changed = [name for name, token in fields.items() if held.get(name) != token]
        self.over += [(write.key, name, held.get(name)) for name in changed]
        self.effective[write.key] += bool(changed)
        self.edit(id_, fields, US)

    @staticmethod
    def _stored(token: Token) -> Token:
        return NULL if token == '""' else token

    def _told(self, id_: str, *, trail: bool) -> Reading | Removal:
        thing = self.things[id_]
        ref = Ref(self.source, self._schema.object, id_)
        now = self._clock.now()
        if thing.deleted:
            return Removal(ref, Loss.DELETED, now, thing.modified_at, thing.actor)
        return Reading(
            ref=ref,
            fields=dict(thing.fields),
            modified_at=thing.modified_at,
            read_at=now,
            edited_at=thing.edited_at,
            actor=thing.actor,
            stamps={"LastModified": token_of(stamp(thing.modified_at))},
            created_at=thing.created_at,
            trail=tuple(thing.trail) if trail and self._history else (),
        )
