"""The log's filters, alone and together, against a plain list of what was done."""

import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmtrail.model import Actor, Op, Operation, Ref
from crmtrail.ports import Noticed, Query
from support.readings import ADA, BOB, ROBOT, SOURCE, at, reading, removal
from support.store_rig import RIGS

OBJECTS = ("Contact", "Account")
FIELDS = ("Fax", "Phone", "Score")
TOKENS = ("null", '""', '"1"', '"2"', "1", "2")
BLANK = ("null", '""')
NAMES = (*(who.id for who in (ADA, BOB, ROBOT)), "ada LOVELACE", "Enricher", "nobody")
READ_EVERY = 50
FIRST_READ = 1_000

refs = st.builds(Ref, st.just(SOURCE), st.sampled_from(OBJECTS), st.sampled_from(("1", "2")))
moments = st.integers(0, 120).map(at)
learnt = st.integers(0, 14).map(lambda no: at(FIRST_READ + READ_EVERY * no))


@dataclass(frozen=True)
class Step:
    """One thing that somebody did to a record; we read it later, in the order of the list."""

    ref: Ref
    gap: int
    actor: Actor
    fields: dict[str, str]
    deletes: bool
    operation: str | None


steps = st.builds(
    Step,
    ref=refs,
    gap=st.integers(1, 30),
    actor=st.sampled_from((ADA, BOB, ROBOT)),
    fields=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(TOKENS), min_size=1),
    deletes=st.integers(0, 5).map(lambda no: no == 0),
    operation=st.sampled_from((None, "op-1", "op-2")),
)
queries = st.builds(
    Query,
    source=st.sampled_from((None, None, SOURCE, "hs")),
    object=st.sampled_from((None, None, *OBJECTS)),
    record=st.none() | refs,
    field=st.sampled_from((None, None, *FIELDS)),
    actor=st.none() | st.sampled_from(NAMES),
    via=st.sampled_from((None, None, None, "data loader", "Enricher")),
    op=st.sampled_from((None, None, None, *Op)),
    operation=st.sampled_from((None, None, None, "op-1", "op-2", "op-9")),
    since=st.none() | moments,
    until=st.none() | moments,
    known_since=st.none() | learnt,
    known_until=st.none() | learnt,
    blanked=st.booleans(),
)


@dataclass(frozen=True)
class Line:
    """What the log has to say of one version, or of one field of it."""

    ref: Ref
    op: Op
    actor: Actor
    at: datetime
    known: datetime
    operation: str | None
    field: str | None = None
    old: str | None = None
    new: str | None = None


@dataclass
class Truth:
    """A CRM of a few records, and the log of it, oldest first."""

    state: dict[Ref, dict[str, str]] = field(default_factory=dict)
    clock: dict[Ref, int] = field(default_factory=dict)
    dead: set[Ref] = field(default_factory=set)
    versions: list[list[Line]] = field(default_factory=list)

    def happen(self, step: Step, read: int) -> object:
        """Note what a step does; return what the vendor answers at a time."""
        ref = step.ref
        when = self.clock[ref] = self.clock.get(ref, 0) + step.gap
        known = at(read)

        def line(op, operation, *change):
            return Line(ref, op, step.actor, at(when), known, operation, *change)

        if step.deletes and ref in self.state and ref not in self.dead:
            self.dead.add(ref)
            self.versions.append([line(Op.DELETE, step.operation)])
            return removal(ref.id, read=read, when=when, actor=step.actor, object_=ref.object)
        before = dict(self.state.get(ref, {}))
        after = self.state[ref] = before | step.fields
        found = reading(
            ref.id, tokens=after, modified=when, read=read, actor=step.actor, object_=ref.object
        )
        if not before:
            self.versions.append([line(Op.BASELINE, None)])
            return found
        changed = [name for name in sorted(after) if before.get(name) != after[name]]
        op = Op.UNDELETE if ref in self.dead else Op.UPDATE
        self.dead.discard(ref)
        made = [line(op, step.operation)] if op is Op.UNDELETE else []
        made += [line(op, step.operation, name, before.get(name), after[name]) for name in changed]
        if made:
            self.versions.append(made)
        return found

    def log(self, query: Query) -> list[Line]:
        """Return what a question finds, the newest learnt first."""
        return [
            line for made in reversed(self.versions) for line in made if _asked_for(line, query)
        ]


def _asked_for(line: Line, query: Query) -> bool:
    names = {str(name).casefold() for name in (line.actor.id, line.actor.name)}
    checks = (
        query.source in (None, line.ref.source),
        query.object in (None, line.ref.object),
        query.record in (None, line.ref),
        query.field in (None, line.field),
        query.actor is None or query.actor.casefold() in names,
        query.via is None or query.via.casefold() == str(line.actor.via).casefold(),
        line.op is query.op if query.op else line.op is not Op.BASELINE,
        query.operation in (None, line.operation),
        query.since is None or line.at >= query.since,
        query.until is None or line.at < query.until,
        query.known_since is None or line.known >= query.known_since,
        query.known_until is None or line.known < query.known_until,
        not query.blanked or (line.new in BLANK and line.old is not None and line.old not in BLANK),
    )
    return all(checks)


def placing(operation):
    """Return a detection that lays everything it is shown to one operation."""

    def notice(change_sets, scene):
        moments_ = [made.at for made in change_sets]
        first = change_sets[0]
        one = Operation(
            f"{operation}",
            scene.source,
            scene.object,
            first.op,
            first.actor,
            min(moments_),
            max(moments_),
            len(change_sets),
        )
        known = {each.id for each in scene.operations}
        return Noticed(
            [operation] * len(change_sets),
            [one] if operation and operation not in known else [],
        )

    return notice


def told(rig, query, limit):
    """Return all pages of the log as lines."""
    lines, cursor = [], None
    while True:
        entries, cursor = rig.store.log(query, limit=limit, cursor=cursor)
        assert len(entries) <= limit
        for entry in entries:
            made = entry.change_set
            lines.append(
                Line(
                    made.ref, made.op, made.actor, made.at, made.known_at, made.operation,
                    entry.field, entry.old, entry.new,
                )
            )  # fmt: skip
        if cursor is None:
            return lines


@pytest.mark.parametrize(("name", "examples"), [("memory", 60), ("sqlite", 25), ("postgres", 5)])
def test_every_question_finds_just_what_was_done(name, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(steps, min_size=1, max_size=12),
        st.lists(queries, min_size=1, max_size=12),
        st.integers(1, 6),
    )
    def check(story, questions, limit):
        with tempfile.TemporaryDirectory(dir=_fast()) as folder, RIGS[name](Path(folder)) as rig:
            truth = Truth()
            for no, step in enumerate(story):
                found = truth.happen(step, FIRST_READ + READ_EVERY * no)
                notice = placing(step.operation)
                rig.store.absorb(SOURCE, step.ref.object, [found], notice=notice)
            for query in (Query(), Query(blanked=True), *questions):
                assert told(rig, query, limit) == truth.log(query), query
            assert rig.store.verify().ok

    check()


def _fast():
    """Return a folder in memory where there is one: nothing here is about disks."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- a folder below it is made
