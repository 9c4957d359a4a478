"""Random worlds, random faults, a kill at any call: what a restore must never do.

R1 every step ends. R2 a step is written at most once. R3 a later edit is never overwritten.
R4 the before-image is kept before a request leaves. R5 an undo brings back what was there.
The outcomes add up to the plan, and each is true of the CRM.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmtrail.config import RestoreConfig
from crmtrail.model import (
    NULL,
    Answer,
    OnConflict,
    Plan,
    Result,
    Token,
    Verdict,
    Write,
)
from crmtrail.ports import Journal, Journalled, StepState
from rollback.meaning import alike
from rollback.run import Ending
from rollback.selections import ByOperation, ByUndo
from support.memory_connector import Fault
from support.restore_rig import Rig, memory_rig, outcomes
from support.restoring import ADA, SYNC, text

BAD = (NULL, text("N/A"), text("mass"))
FIELDS = ("Phone", "Title")


class Killed(BaseException):
    """The process dies here."""


class Death:
    """Kills at one of the calls to come: the so-and-so-many-th, or the next of a name."""

    def __init__(self) -> None:
        self.due: int | str | None = None

    def __call__(self, where: str) -> None:
        if isinstance(self.due, int):
            self.due -= 1
        if self.due in (-1, where):
            self.due = None
            raise Killed(where)


class Mortal:
    """A journal in a process that may die before and after each call."""

    def __init__(self, inner: Journal, death: Death) -> None:
        self._inner = inner
        self._death = death

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._inner, name)

        def call(*args: Any, **named: Any) -> Any:
            self._death(f"before {name}")
            answer = method(*args, **named)
            self._death(f"after {name}")
            return answer

        return call


@dataclass(frozen=True)
class Edit:
    """Somebody writes a field: Ada something new, or the sync its bad value again."""

    record: int
    field: str
    again: bool


edits = st.lists(
    st.builds(Edit, st.integers(0, 3), st.sampled_from(FIELDS), st.booleans()), max_size=3
)


@dataclass(frozen=True)
class World:
    bad: tuple[tuple[Token | None, Token | None], ...]
    early: tuple[Edit, ...]
    late: tuple[Edit, ...]
    meanwhile: tuple[Edit, ...]
    after_kill: tuple[Edit, ...]
    deleted: frozenset[int]
    refused: frozenset[int]
    unkept: frozenset[int]
    altered: frozenset[int]
    silent: frozenset[int]
    faults: tuple[bool | None, ...]
    kills: tuple[int | str, ...]
    history: bool
    read_batch: int
    write_batch: int
    canary: int
    on_conflict: OnConflict


few = partial(st.frozensets, st.integers(0, 3), max_size=2)
some_edits = edits.map(tuple)
worlds = st.builds(
    World,
    bad=st.lists(
        st.tuples(*(st.none() | st.sampled_from(BAD) for _ in FIELDS)), min_size=1, max_size=4
    ).map(tuple),
    early=some_edits,
    late=some_edits,
    meanwhile=some_edits,
    after_kill=some_edits,
    deleted=few(),
    refused=few(),
    unkept=few(),
    altered=few(),
    silent=few(),
    faults=st.lists(st.none() | st.booleans(), max_size=6).map(tuple),
    kills=st.lists(st.integers(0, 45) | st.just("write landed"), max_size=2).map(tuple),
    history=st.booleans(),
    read_batch=st.integers(1, 4),
    write_batch=st.integers(1, 4),
    canary=st.integers(0, 3),
    on_conflict=st.sampled_from([OnConflict.KEEP, OnConflict.OVERWRITE]),
)


class Story:
    """One world from the bad operation to the last apply."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.death = Death()
        restore = RestoreConfig(canary=world.canary, stop_at_failed_share=1)
        self.rig: Rig = memory_rig(
            restore,
            history=world.history,
            read_batch=world.read_batch,
            write_batch=world.write_batch,
        )
        self.rig.journal = cast("Journal", Mortal(self.rig.journal, self.death))
        self.rig.crm.boundary = self.death
        self.last_edit: dict[tuple[str, str], Token] = {}
        self._fresh = 0

    def happen(self, edits: Sequence[Edit]) -> None:
        """Let people and the sync edit; remember the newest human value of each field."""
        for edit in edits:
            id_ = f"{edit.record:03}"
            if id_ not in self.rig.crm.things or self.rig.crm.things[id_].deleted:
                continue
            bad = self.bad(edit.record, edit.field)
            if edit.again and bad is not None:
                self.rig.crm.edit(id_, {edit.field: bad}, SYNC)
                self.last_edit.pop((id_, edit.field), None)
            else:
                self._fresh += 1
                value = text(f"new-{self._fresh}")
                self.rig.crm.edit(id_, {edit.field: value}, ADA)
                self.last_edit[id_, edit.field] = value

    def bad(self, record: int, field: str) -> Token | None:
        return self.world.bad[record][FIELDS.index(field)]

    def planned(self) -> Plan | None:
        """Tell the story up to the plan."""
        crm, bad = self.rig.crm, self.world.bad
        for no in range(len(bad)):
            crm.create(f"{no:03}", {"Phone": text(f"p{no}"), "Title": NULL, "Name": text("n")})
        self.rig.sync()
        known = {each.id for each in self.rig.store.operations()}
        for no, tokens in enumerate(bad):
            fields = {name: token for name, token in zip(FIELDS, tokens, strict=True) if token}
            if fields:
                crm.edit(f"{no:03}", fields, SYNC)
        self.rig.sync()
        made = [each for each in self.rig.store.operations() if each.id not in known]
        if not made:
            return None
        self.happen(self.world.early)
        self.rig.sync()
        self.last_edit.clear()  # what was there when the plan was made is the plan's business
        return self.rig.plan(ByOperation(made[0].id), on_conflict=self.world.on_conflict)

    def trouble(self, plan: Plan) -> None:
        """Set up everything that goes wrong from now on."""
        crm, world = self.rig.crm, self.world
        self.happen(world.late)
        for no in world.deleted:
            if f"{no:03}" in crm.things:
                crm.delete(f"{no:03}", ADA)
        locked = Answer("", Verdict.REFUSED, "LOCKED", "locked")
        crm.refusals = {f"{no:03}": locked for no in world.refused}
        crm.unkept = {f"{no:03}" for no in world.unkept}
        crm.altered = {f"{no:03}": text("altered") for no in world.altered}
        crm.silent = {f"{no:03}" for no in world.silent}
        crm.faults = [None if landed is None else Fault(landed=landed) for landed in world.faults]
        crm.meanwhile = lambda: self.happen(world.meanwhile)
        crm.audit = partial(self._audit, plan.id)

    def _audit(self, plan: str, writes: Sequence[Write]) -> None:
        """Check, before a request is carried out, that its before-image is kept (R4)."""
        due, self.death.due = self.death.due, None
        states = {each.step.id: each for each in self.rig.journal.steps(plan)}
        self.death.due = due
        for write in writes:
            journalled = states[write.key.rpartition(".")[2]]
            assert journalled.state == StepState.SENDING
            assert set(write.fields) <= set(journalled.before)

    def applied(self, plan: Plan) -> None:
        """Apply, die, go on, until the plan is through."""
        for kill in self.world.kills:
            self.death.due = kill
            try:
                self.rig.apply(plan)
            except Killed:
                self.happen(self.world.after_kill)
            finally:
                self.death.due = None
        self.rig.apply(plan)


def steps_of(rig: Rig, plan: Plan) -> Iterator[Journalled]:
    return rig.journal.steps(plan.id)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(worlds)
def test_a_restore_does_no_harm_whatever_happens(world: World) -> None:
    story = Story(world)
    plan = story.planned()
    if plan is None:
        return
    rig = story.rig
    story.trouble(plan)
    story.applied(plan)

    # R1, and the books add up.
    steps = list(steps_of(rig, plan))
    assert all(each.state == StepState.SETTLED for each in steps)
    tally = rig.journal.tally(plan.id)
    assert sum(tally.values()) == len(steps) == sum(plan.counts.values())
    receipt = rig.journal.receipt(plan.id)
    assert receipt is not None
    assert receipt.planned == sum(receipt.outcomes.values()) == len(steps)

    # R2: one effective write a step, of what the plan says and nothing else.
    assert all(count <= 1 for count in rig.crm.effective.values()), rig.crm.effective
    by_id = {each.step.id: each for each in steps}
    for write in (write for batch in rig.crm.written for write in batch):
        step = by_id[write.key.rpartition(".")[2]].step
        assert step.ref == write.ref
        assert write.fields.items() <= step.write.items()

    # R3: what a write went over is what the plan expected; newer human values are still there.
    for key, name, token in rig.crm.over:
        assert alike(token, by_id[key.rpartition(".")[2]].step.expect[name])
    for (id_, name), value in story.last_edit.items():
        assert rig.crm.value(id_, name) == value

    # Every field to be written has an outcome, and none is restored without a before-image.
    for each in steps:
        assert each.outcome is not None
        assert set(each.step.write) <= set(each.outcome.fields)
        restored = [name for name, r in each.outcome.fields.items() if r is Result.RESTORED]
        assert set(restored) <= set(each.before)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds)
def test_an_undo_brings_back_what_was_there(world: World) -> None:
    story = Story(world)
    plan = story.planned()
    if plan is None:
        return
    rig = story.rig
    story.trouble(plan)
    before = {id_: dict(thing.fields) for id_, thing in rig.crm.things.items()}
    rig.crm.meanwhile = None
    story.applied(plan)
    # Others may write after a kill, so what our write went over is the truth where there was one.
    by_id = {each.step.id: each.step.ref.id for each in steps_of(rig, plan)}
    for key, name, token in rig.crm.over:
        before[by_id[key.rpartition(".")[2]]][name] = token or NULL
    written = [
        (each.step.ref.id, name, each.step.write[name])
        for each in steps_of(rig, plan)
        for name, result in (each.outcome.fields.items() if each.outcome else ())
        if result is Result.RESTORED
    ]
    kept = [(id_, name) for id_, name, token in written if alike(rig.crm.value(id_, name), token)]
    rig.crm.refusals, rig.crm.unkept, rig.crm.altered = {}, set(), {}
    rig.crm.silent, rig.crm.faults = set(), []
    if not written:
        return
    undo = rig.plan(ByUndo(plan.id))
    rig.crm.audit = lambda _writes: None
    rig.apply(undo)
    for id_, name in kept:
        assert alike(rig.crm.value(id_, name), before[id_][name])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds)
def test_a_plan_applied_again_is_only_looked_at(world: World) -> None:
    story = Story(world)
    plan = story.planned()
    if plan is None:
        return
    story.trouble(plan)
    story.applied(plan)
    rig = story.rig
    first = {each.step.ref.id: each.outcome for each in steps_of(rig, plan)}
    written = len(rig.crm.written)
    again = rig.apply(plan)
    assert again.ending is Ending.CHECKED
    assert len(rig.crm.written) == written
    assert again.receipt is not None
    assert again.receipt.planned == sum(again.receipt.outcomes.values()) == len(first)
    assert again.receipt.outcomes[Result.RESTORED] == 0
    for id_, outcome in outcomes(again).items():
        ended = first[id_]
        assert ended is not None
        if outcome.result is Result.ALREADY:
            continue
        if ended.result is not Result.RESTORED:
            assert outcome.result is ended.result or outcome.result is Result.CONFLICT
