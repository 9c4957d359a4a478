"""Short ways to write records, changes and plans down in tests of the way back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from crmtrail.model import (
    NULL,
    Action,
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Field,
    OnConflict,
    Op,
    Plan,
    Reading,
    Ref,
    Schema,
    Step,
    Token,
)
from crmtrail.ports import Head
from rollback.digest import Digest

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SYNC = Actor(ActorKind.APP, id="app-7", name="Nightly Sync")
ADA = Actor(ActorKind.USER, id="u-ada", name="Ada")
US = Actor(ActorKind.APP, id="crmtrail", name="crmtrail")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def ref(id_: str = "1", object_: str = "Contact") -> Ref:
    return Ref("sf", object_, id_)


def text(value: str) -> Token:
    return f'"{value}"'


def change_set(
    id_: str,
    number: int,
    *changes: tuple[str, Token | None, Token | None],
    op: Op = Op.UPDATE,
    actor: Actor = SYNC,
) -> ChangeSet:
    return ChangeSet(
        ref=ref(id_),
        op=op,
        number=number,
        changes=tuple(Change(*each) for each in changes),
        actor=actor,
        at=at(number),
        known_at=at(number + 1),
        operation="op-1",
    )


def schema(*fields: Field, object_: str = "Contact") -> Schema:
    return Schema("sf", object_, {field.name: field for field in fields})


def head(fields: Mapping[str, Token], id_: str = "1", *, deleted: bool = False) -> Head:
    return Head(ref(id_), 3, fields, deleted=deleted, known_at=at(5))


def reading(
    fields: Mapping[str, Token],
    id_: str = "1",
    *,
    minutes: float = 10,
    actor: Actor = SYNC,
    deleted: bool = False,
) -> Reading:
    return Reading(
        ref=ref(id_),
        fields=fields,
        modified_at=at(minutes),
        read_at=at(minutes + 1),
        edited_at=at(minutes),
        actor=actor,
        deleted=deleted,
    )


def step(
    id_: str = "1",
    *,
    action: Action = Action.UPDATE,
    record: Ref | None = None,
    expect: Mapping[str, Token] | None = None,
    write: Mapping[str, Token] | None = None,
    left: Mapping[str, str] | None = None,
) -> Step:
    return Step(
        id=id_,
        ref=record or ref(id_),
        action=action,
        expect={"Phone": NULL} if expect is None else expect,
        write={"Phone": text("555")} if write is None else write,
        left=left or {},
        reason="written by Nightly Sync",
    )


def plan_of(
    steps: Sequence[Step],
    *,
    id_: str = "plan-1",
    created: datetime = T0,
    expires: datetime | None = None,
    approvals_required: int = 0,
) -> Plan:
    """Return a plan that fits its steps, digest and counts included."""
    digest = Digest()
    counts = dict.fromkeys(Action, 0)
    for each in steps:
        digest.add(each)
        counts[each.action] += 1
    terms = {
        "id": id_,
        "author": "grace",
        "created": created,
        "expires": expires or created + timedelta(hours=24),
        "source": "sf",
        "selection": {"kind": "operation", "operation": "op-1"},
        "on_conflict": OnConflict.KEEP,
        "counts": counts,
        "api_calls": 5,
        "approvals_required": approvals_required,
    }
    return Plan(digest=digest.close(Plan(digest="", **terms)), **terms)
