"""A store with its keys, in which a person left traces everywhere, on either database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from crmtrail.config import MassUpdateConfig, RulesConfig
from crmtrail.detection.notice import noticing
from crmtrail.model import Mode, Ref, Step, token_of
from crmtrail.retention_config import RetentionRule
from rollback.journal import SqlJournal
from scheduler.lease import SqlLeases
from snapshot.database import reading as reading_of
from snapshot.engine import open_store
from snapshot.erasing import Forgetting
from snapshot.holding import Holds
from snapshot.keys.keyring import Keyring
from snapshot.keys.policy import Subjects
from snapshot.place import connect, place_of
from snapshot.retaining import Retention
from snapshot.store import SqlStore
from snapshot.vault import Vault
from support.key_rig import KeyRig
from support.postgres_server import running
from support.readings import OBJECT, SOURCE, HandClock, page, reading, ref
from support.restoring import plan_of, step
from support.store_rig import fresh_server_store, fresh_store

CANARY = "Kanarienvogel-7f3a"
"""A text that occurs nowhere but where a test puts it."""

MAIL = "kanarienvogel-7f3a@birds.example"
PERSON = ref("003CANARY")
OTHER = ref("003OTHER")
KEEP = {(SOURCE, OBJECT.casefold()): frozenset({"Discount"})}
TTL = timedelta(minutes=2)
_NUMBERS = count(1)
TOUCHY = noticing(RulesConfig(mass_update=MassUpdateConfig(min_records=1)))
"""A detection that makes an incident of every change."""


class Office:
    """One store, its keys, and the people who use both."""

    def __init__(self, url: str, keys: KeyRig, policy: Subjects) -> None:
        self.url = url
        self.keys = keys
        self.policy = policy
        self.clock = HandClock()
        self.ring: Keyring = keys.open()
        self.store = self._opened()

    def _opened(self) -> SqlStore:
        vault = Vault(self.ring, self.policy)
        if self.url.startswith("sqlite"):
            return open_store(self.url, self.clock, vault=vault)
        return SqlStore(connect(place_of(self.url)), self.clock, vault)

    def reopen(self) -> None:
        self.store.close()
        self.store = self._opened()

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def forgetting(self) -> Forgetting:
        return Forgetting(self.store.engine, self.store.shelf, self.clock)

    @property
    def holds(self) -> Holds:
        return Holds(self.store.engine, self.store.shelf.vault, self.clock)

    @property
    def journal(self) -> SqlJournal:
        return SqlJournal(self.store.engine)

    def retention(self, *rules: Mapping[str, str]) -> Retention:
        made = [RetentionRule.model_validate({"source": SOURCE, **rule}) for rule in rules]
        return Retention(self.store.engine, self.store.shelf, self.clock, made)

    def sync(self, *found: Any, object_: str = OBJECT, cursor: str = "c") -> None:
        """Keep one page of readings in a run of its own."""
        leases = SqlLeases(self.store.engine, self.clock)
        lease = leases.acquire(SOURCE, object_, "here:1:1", TTL)
        assert lease is not None
        run = self.store.begin(SOURCE, object_, Mode.INCREMENTAL, self.clock.now())
        self.store.keep(
            page(*found, object_=object_, cursor=cursor),
            source=SOURCE,
            run=run,
            lease=lease,
            notice=TOUCHY,
        )
        self.store.finish(run, state="done", at=self.clock.now(), api_calls=1)
        leases.release(lease)

    def verified(self) -> None:
        """See that the ledger and all under it is as it was sealed."""
        told = self.store.verify()
        assert told.ok, told.first_bad

    def one(self, sql: str, *values: object) -> Any:
        """Return the first column of the first row."""
        with reading_of(self.store.engine) as connection:
            return connection.exec_driver_sql(sql, values).scalar()

    def close(self) -> None:
        self.store.close()


def lived(office: Office, *, object_: str = OBJECT) -> None:
    """Let a person leave traces: values, changed values, an incident, a plan, another's record."""
    person, other = ref(PERSON.id, object_=object_), ref(OTHER.id, object_=object_)
    fields = {"Email": MAIL, "LastName": CANARY, "Phone": "555-1", "Discount": "12.5"}
    office.sync(
        reading(person.id, fields, modified=0, object_=object_),
        reading(other.id, {**fields, "Email": "o@o.example", "LastName": "Other"}, object_=object_),
        object_=object_,
    )
    for no in range(1, 4):
        office.clock.move(3_600)
        changed = {**fields, "Phone": f"{CANARY}-{no}", "Discount": f"{no}"}
        office.sync(
            reading(person.id, changed, modified=3_600 * no, object_=object_), object_=object_
        )
    office.sync(
        reading(
            other.id,
            {**fields, "Email": "o@o.example", "LastName": "Other", "Phone": "555-2"},
            modified=20_000,
            object_=object_,
        ),
        object_=object_,
    )
    file_plan(office, "plan-1", person, other)


def file_plan(office: Office, id_: str, person: Ref, other: Ref) -> None:
    """File a plan that would write values of both; its first step is being sent."""
    steps = [
        _step("1", person, CANARY, salt="00" * 16),
        _step("2", other, "555", salt="11" * 16),
    ]
    office.journal.file(plan_of(steps, id_=id_), iter(steps))
    before = {"1": {"Phone": token_of(f"{CANARY}-3")}}
    office.journal.intend(id_, before, office.clock.now())


def _step(id_: str, one: Ref, value: str, *, salt: str) -> Step:
    made = step(
        id_,
        record=one,
        expect={"Phone": token_of(f"{value}-3")},
        write={"Phone": token_of(f"{value}-plan")},
        left={"LastName": f"it is {value}"},
    )
    return replace(made, salt=salt)


@contextmanager
def sqlite_office(folder: Path, policy: Subjects | None = None) -> Iterator[Office]:
    folder.mkdir(exist_ok=True)
    (folder / "crmtrail.db").write_bytes(fresh_store())
    keys = KeyRig(folder)
    office = Office(f"sqlite:///{folder}/crmtrail.db", keys, policy or Subjects(keeps=KEEP))
    try:
        yield office
    finally:
        office.close()
        keys.close()


@contextmanager
def postgres_office(folder: Path, policy: Subjects | None = None) -> Iterator[Office]:
    # A database that was used before may still have its rows on the disk.
    name = f"office_{next(_NUMBERS)}"
    running().run(f"CREATE DATABASE {name} TEMPLATE {fresh_server_store()}")
    keys = KeyRig(folder)
    office = Office(running().url(name), keys, policy or Subjects(keeps=KEEP))
    try:
        yield office
    finally:
        office.close()
        keys.close()
        running().run(f"DROP DATABASE {name} WITH (FORCE)")


OFFICES = {"sqlite": sqlite_office, "postgres": postgres_office}


def on_disk(office: Office) -> bytes:
    """Return everything that the database and the key store have on the disk."""
    found = office.keys.bytes_on_disk()
    if office.url.startswith("sqlite"):
        return found + b"".join(one.read_bytes() for one in office.path.parent.glob("crmtrail.db*"))
    name = office.url.rpartition("/")[2]
    running().run("CHECKPOINT", database=name)
    ((oid,),) = running().run(
        "SELECT oid FROM pg_database WHERE datname = current_database()", database=name
    )
    files = (running().folder / "data" / "base" / str(oid)).iterdir()
    return found + b"".join(one.read_bytes() for one in files if one.is_file())
