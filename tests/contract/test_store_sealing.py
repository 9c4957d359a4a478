"""What is sealed in the store, what opens it, and what does not; on both databases."""

import pytest

from crmtrail.model import ERASED, Mode, Op, token_of
from crmtrail.ports import ignore
from scheduler.lease import SqlLeases
from snapshot.database import reading as looking
from snapshot.database import writing
from snapshot.engine import open_store
from snapshot.keys.memory import MemoryKeyring
from snapshot.keys.policy import SealMode, Subjects
from snapshot.keys.port import KeyMissing, Unsealable
from snapshot.place import connect, place_of
from snapshot.store import SqlStore
from snapshot.vault import Vault
from support.postgres_server import fresh_database
from support.readings import OBJECT, SOURCE, T0, HandClock, at, page, reading, ref
from support.store_rig import TTL, fresh_server_store, fresh_store

CANARY = "Lovelace-canary"
KEEP = {(SOURCE, "contact"): frozenset({"Discount"})}


class Desk:
    """A store with keys, and pages put into it."""

    def __init__(self, url: str, keys: MemoryKeyring, policy: Subjects) -> None:
        self.url, self.keys = url, keys
        self.store = self.opened(Vault(keys, policy))

    def opened(self, vault: Vault | None) -> SqlStore:
        if self.url.startswith("sqlite"):
            return open_store(self.url, HandClock(), vault=vault)
        return SqlStore(connect(place_of(self.url)), HandClock(), vault)

    def keep(self, *found, object_=OBJECT):
        leases = SqlLeases(self.store.engine, HandClock())
        lease = leases.acquire(SOURCE, object_, "here:1:1", TTL)
        run = self.store.begin(SOURCE, object_, Mode.INCREMENTAL, T0)
        kept = self.store.keep(
            page(*found, object_=object_), source=SOURCE, run=run, lease=lease, notice=ignore
        )
        leases.release(lease)
        return kept

    def rows(self, sql, *values):
        with looking(self.store.engine) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql, values)]

    def everything(self):
        """All bytes and texts of the tables that hold values."""
        found = b""
        for table in ("record", "version", "change", "keyframe", "codec", "subject_index", "leaf"):
            found += repr(self.rows(f"SELECT * FROM {table}")).encode()  # noqa: S608 -- a test
        return found


@pytest.fixture
def mode() -> SealMode:
    return SealMode.PERSONAL


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request, tmp_path, mode):
    policy, keys = Subjects(mode, keeps=KEEP), MemoryKeyring()
    if request.param == "sqlite":
        (tmp_path / "crmtrail.db").write_bytes(fresh_store())
        made = Desk(f"sqlite:///{tmp_path}/crmtrail.db", keys, policy)
        yield made
        made.store.close()
        return
    with fresh_database(fresh_server_store()) as url:
        made = Desk(url, keys, policy)
        yield made
        made.store.close()


def story(desk, object_=OBJECT):
    """A record first seen, changed, and blanked."""
    for no, phone in enumerate((f"{CANARY}-1", f"{CANARY}-2", None)):
        fields = {"Phone": phone, "Email": f"{CANARY}@example.com", "Discount": no}
        desk.keep(reading("003A", fields, modified=no * 10, object_=object_), object_=object_)


def test_a_person_is_sealed_and_read_as_ever(desk):
    story(desk)
    assert CANARY.encode() not in desk.everything()
    assert desk.store.version(ref(), at(5)).fields["Phone"] == token_of(f"{CANARY}-1")
    first, second, third = desk.store.timeline(ref())
    assert [made.op for made in (first, second, third)] == [Op.BASELINE, Op.UPDATE, Op.UPDATE]
    assert {c.field: c.new for c in third.changes} == {"Phone": "null", "Discount": "2"}
    assert desk.store.verify().ok


def test_which_field_changed_how_is_seen_without_any_key(desk):
    story(desk)
    rows = desk.rows(
        "SELECT f.name, c.kind, c.old, c.new FROM change AS c"
        " JOIN field AS f ON f.field_id = c.field_id ORDER BY c.version_id, f.name"
    )
    blanked = [name for name, kind, _, _ in rows if kind >= 16]
    assert blanked == ["Phone"]
    assert {(old, new) for _, _, old, new in rows} == {(None, None)}


def test_what_is_no_person_is_in_clear_text(desk):
    story(desk, "Opportunity")
    assert CANARY.encode() in desk.everything()
    assert desk.rows("SELECT key_id FROM record") == [(None,)]


@pytest.mark.parametrize("mode", [SealMode.ALL])
def test_everything_else_can_be_sealed_with_one_key_an_object(mode, desk):
    assert mode is SealMode.ALL
    for id_ in ("006A", "006B"):
        desk.keep(reading(id_, {"Name": CANARY}, object_="Opportunity"), object_="Opportunity")
    assert CANARY.encode() not in desk.everything()
    assert len(set(desk.rows("SELECT key_id FROM record"))) == 1
    found = [each.fields["Name"] for each in desk.store.records(SOURCE, "Opportunity")]
    assert found == [token_of(CANARY)] * 2


def test_without_the_keys_nothing_is_opened_and_nothing_looks_erased(desk):
    story(desk)
    for keys in (None, MemoryKeyring()):
        store = desk.opened(None if keys is None else Vault(keys, Subjects()))
        with pytest.raises(KeyMissing):
            store.version(ref())
        assert store.verify().ok  # sealed values are hashed as they lie
        store.close()


def test_a_destroyed_key_forgets_that_person_and_nobody_else(desk):
    story(desk)
    desk.keep(reading("003B", {"Phone": "+81"}))
    ((key,),) = desk.rows("SELECT key_id FROM record WHERE ext_id = '003A'")
    desk.keys.destroy([key], T0)
    gone = desk.store.version(ref())
    assert gone.fields["Phone"] == ERASED
    last = desk.store.timeline(ref())[-1]
    assert {c.field: (c.old, c.new) for c in last.changes}["Phone"] == (ERASED, ERASED)
    assert desk.store.version(ref("003B")).fields["Phone"] == token_of("+81")
    assert desk.store.verify().ok


def test_what_the_law_wants_kept_outlives_the_persons_key(desk):
    story(desk)
    ((key,),) = desk.rows("SELECT key_id FROM record")
    desk.keys.destroy([key], T0)
    assert desk.store.version(ref()).fields["Discount"] == "2"
    made = desk.store.timeline(ref())[1]
    assert {c.field: (c.old, c.new) for c in made.changes}["Discount"] == ("0", "1")


def test_a_sealed_value_that_was_moved_elsewhere_does_not_open(desk):
    story(desk)
    with writing(desk.store.engine) as connection:
        for name in ("version_never_update",):
            table = "" if connection.dialect.name == "sqlite" else " ON version"
            connection.exec_driver_sql(f"DROP TRIGGER {name}{table}")
        connection.exec_driver_sql(
            "UPDATE version SET payload = (SELECT payload FROM version WHERE number = 3)"
            " WHERE number = 2"
        )
    with pytest.raises(Unsealable):
        desk.store.timeline(ref())
    assert not desk.store.verify().ok


def test_an_account_that_becomes_a_person_is_sealed_from_then_on(desk):
    for no, person in enumerate((False, True, True)):
        fields = {"Name": f"{CANARY}-{no}", "IsPersonAccount": person}
        found = reading("001A", fields, modified=no * 10, object_="Account")
        desk.keep(found, object_="Account")
    assert f"{CANARY}-2".encode() not in desk.everything()
    assert f"{CANARY}-0".encode() in desk.everything()  # it was no person then
    account = ref("001A", object_="Account")
    names = [desk.store.version(account, at(no * 10)).fields["Name"] for no in range(3)]
    assert names == [token_of(f"{CANARY}-{no}") for no in range(3)]
    assert desk.store.verify().ok


def test_addresses_are_found_blind(desk):
    story(desk)
    wanted = desk.keys.blind(f" {CANARY.upper()}@EXAMPLE.com")
    rows = desk.rows(
        "SELECT r.ext_id FROM subject_index AS s JOIN record AS r ON r.record_id = s.record_id"
        " WHERE s.blind = ?",
        wanted,
    )
    assert rows == [("003A",)]
