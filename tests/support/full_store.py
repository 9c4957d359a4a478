"""A store with something in every table: sealed and clear records, plans, incidents, anchors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, select

from crmtrail.model import Field, FieldType, Gap, Loss, Mode, Ref, Schema
from crmtrail.ports import ignore
from scheduler.lease import SqlLeases
from snapshot import tables
from snapshot.database import reading as asking
from snapshot.database import writing
from snapshot.engine import open_store
from snapshot.keys.memory import MemoryKeyring
from snapshot.keys.policy import Subjects
from snapshot.store import SqlStore
from snapshot.tables import __all__ as names
from snapshot.vault import Vault
from support.readings import BOB, T0, HandClock, at, page, reading, removal
from support.store_rig import TTL, SqlSteps, Watching

MANY = 120
"""Enough records for a codec."""

LATER_FOR_KILLS = at(5_000)
"""When a copying is killed, in a process of its own."""

SECRET = "canary.person"
_FEW = 10
"""So many hold it: what twenty share may be in a dictionary, which is sealed by no key."""
"""What no byte of a sealed store holds."""


@contextmanager
def full_store(folder: Path, keys: MemoryKeyring | None = None) -> Iterator[SqlStore]:
    """Give a store in a file ``crmtrail.db``, with sealed contacts and clear accounts."""
    clock = HandClock(at(3_000))
    vault = Vault(keys or MemoryKeyring(), Subjects())
    store = open_store(f"sqlite:///{folder}/crmtrail.db", clock, vault=vault)
    try:
        fill(store, clock)
        yield store
    finally:
        store.close()


def fill(store: SqlStore, clock: HandClock) -> None:
    leases = SqlLeases(store.engine, clock)
    for object_ in ("Contact", "Account"):
        lease = leases.acquire("sf", object_, "elsewhere:1:1", TTL)
        assert lease is not None
        run = store.begin("sf", object_, Mode.FULL, T0)
        store.learn(Schema("sf", object_, {"Phone": Field("Phone", FieldType.TEXT)}), T0)
        people = [
            reading(f"{no:03}", held, object_=object_, creator=BOB)
            for no, held in enumerate(_held(object_))
        ]
        changed = [
            reading(f"{no:03}", held | {"Phone": None}, object_=object_, modified=60, actor=BOB)
            for no, held in enumerate(_held(object_)[:20])
        ]
        gone = [
            removal("119", read=90, when=80, object_=object_),
            removal("118", read=90, when=80, object_=object_, loss=Loss.MERGED, merged_into="001"),
        ]
        for found, notice in (
            (people, ignore),
            (changed, Watching(f"op-{object_}", rule="blanking")),
            (gone, ignore),
        ):
            told = page(
                *found, object_=object_, gaps=(Gap(object_, T0, T0, "a test"),), expected=MANY
            )
            store.keep(told, source="sf", run=run, lease=lease, notice=notice)
        store.finish(run, state="done", at=at(100), api_calls=3)
        leases.release(lease)
    SqlSteps(store).send(
        "p1", 1, Ref("sf", "Contact", "001"), {"Phone": '"1"'}, sent=70, state="sending"
    )
    with writing(store.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO anchor (name, size, note, anchored_at, failure) VALUES (?, 1, ?, 5, '')",
            ("file:outside", "a note"),
        )


def _held(object_: str) -> list[dict[str, object]]:
    whose = {no: SECRET for no in range(_FEW) if object_ == "Contact"}
    return [
        {
            "Email": f"{no:x}.{whose.get(no, 'office')}@example.org",
            "Phone": f"+1 555 {no:04}",
            "Name": f'N{no} "é"',
            "Kind": "Person",
        }
        for no in range(MANY)
    ]


def dump(engine: Engine) -> dict[str, list[str]]:
    """Return all rows of all tables, as texts, in order."""
    found = {}
    with asking(engine) as connection:
        for table in (getattr(tables, name).__table__ for name in names):
            rows = connection.execute(select(*table.columns)).all()
            found[table.name] = sorted(repr(tuple(row)) for row in rows)
    return found
