"""Compares a store with what truly happened in the CRM: nothing lost, nothing doubled."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from crmtrail.keys_config import KeysConfig
from crmtrail.model import Op, Ref, Token, moment
from crmtrail.ports import Query
from snapshot.engine import open_store
from snapshot.keys.opening import open_keys
from snapshot.store import SqlStore
from snapshot.vault import Vault
from support.sandbox_rig import WallClock
from support.watched_sandbox import Watched

Values: TypeAlias = Mapping[str, Any]
Truth: TypeAlias = Mapping[str, tuple[Values, bool]]
Happening: TypeAlias = tuple[str, ...]

BOOKKEEPING = {
    "salesforce": {
        "IsDeleted",
        "MasterRecordId",
        "SystemModstamp",
        "LastModifiedDate",
        "LastModifiedById",
        "deleted",
    },
    "hubspot": {"hs_object_id", "lastmodifieddate", "hs_lastmodifieddate"},
}
"""What the vendor notes about a record, which is kept beside its fields."""

UNTOLD = {
    # Compound fields repeat their parts; so does the name of a person.
    "salesforce": {"BillingAddress", "ShippingAddress", "MailingAddress", "OtherAddress"},
    # Sensitive, so that the token cannot see it.
    "hubspot": {"tax_number"},
}
_PERSONS = {"Contact", "Lead"}

COUNTS = {
    "salesforce": set[str](),
    "hubspot": {"num_associated_contacts", "num_associated_deals"},
}
"""Roll-ups that move no stamp: a poll cannot see them, only a full sync can."""

UNTOLD_BY_JOURNAL = {"hs_updated_by_user_id"}
"""The sandbox changes it with every edit of a user, but does not write it in its journal."""

_OPS = {"create": Op.CREATE, "delete": Op.DELETE, "undelete": Op.UNDELETE, "restore": Op.UNDELETE}
_PAGE = 500


@dataclass(frozen=True)
class Findings:
    """What is wrong: what the CRM knows and the store does not, and the other way round."""

    lost: Sequence[str]
    doubled: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled)


class Auditor:
    """Knows the truth of one CRM.

    Args:
        watched: the CRM.
        source: its name in the config.
        objects: those that are synced.
    """

    def __init__(self, watched: Watched, source: str, objects: Sequence[str]) -> None:
        self._world = watched.server.world
        self._wire = watched.wire
        self._crm = watched.wire.crm
        self._source = source
        self._objects = objects
        self._unkept = BOOKKEEPING[self._crm] | UNTOLD[self._crm]

    def audit(self, url: str, *, since: int | None, counts: bool = False) -> Findings:
        """Compare a store with the CRM as it is now, and with its journal.

        Args:
            url: of the store.
            since: the number of the last journal entry before the store's first sync; None where
                the store cannot know everything that happened.
            counts: whether the store may be expected to know the roll-ups, too.
        """
        with (
            closing(open_keys(KeysConfig(), url, os.environ, WallClock(), create=False)) as keys,
            closing(open_store(url, WallClock(), create=False, vault=Vault(keys))) as store,
        ):
            lost: list[str] = []
            doubled: list[str] = []
            for object_ in self._objects:
                truth = self.truth(object_)
                lost += self._states(store, object_, truth, counts=counts)
                doubled += self._standing(store, object_, truth)
            if since is not None:
                told, (kept, imported) = self._happened(since), self._remembered(store, since)
                lost += [f"not kept: {each}" for each in (told - kept).elements()]
                more = kept - told - imported
                doubled += [f"kept too often: {each}" for each in more.elements()]
            verified = store.verify()
            if not verified.ok:
                lost.append(f"verify: {verified.first_bad}")
        return Findings(lost, doubled)

    def now(self) -> int:
        """Return the number of the newest journal entry."""
        with self._world.lock:
            newest = self._world.db.execute("SELECT max(seq) FROM journal").fetchone()[0]
        return int(newest or 0)

    def truth(self, object_: str) -> Truth:
        """Return each record's values, and whether it is deleted, by id."""
        with self._world.lock:
            found = self._wire.truth(object_, None)
        if self._crm == "salesforce":
            return {each["Id"]: (each, each["deleted"]) for each in found}
        return {
            each["id"]: ({k: v or None for k, v in each["properties"].items()}, each["deleted"])
            for each in found
        }

    def _states(
        self, store: SqlStore, object_: str, truth: Truth, *, counts: bool
    ) -> Iterator[str]:
        """Yield each live record whose state in the store is not that of the CRM."""
        ids = list(truth)
        unsure = set() if counts else COUNTS[self._crm]
        for start in range(0, len(ids), _PAGE):
            refs = [Ref(self._source, object_, id_) for id_ in ids[start : start + _PAGE]]
            heads = store.heads(refs)
            for ref in refs:
                values, deleted = truth[ref.id]
                head = heads.get(ref)
                if head is None:
                    if not deleted:
                        yield f"{ref} is not in the store"
                    continue
                if head.deleted is not deleted:
                    yield f"{ref}: deleted is {deleted}, stored {head.deleted}"
                elif not deleted:
                    yield from self._differences(ref, values, head.fields, unsure)

    def _differences(
        self, ref: Ref, values: Values, stored: Mapping[str, Token], unsure: set[str]
    ) -> Iterator[str]:
        held = json.loads("{" + ",".join(f'"{k}":{v}' for k, v in stored.items()) + "}")
        unkept = self._unkept | {"Name"} if ref.object in _PERSONS else self._unkept
        expected = {k: v for k, v in values.items() if k not in unkept}
        for name in (expected.keys() | held.keys()) - unsure:
            if name not in held or held[name] != expected.get(name):
                yield f"{ref} {name}: {expected.get(name)!r}, stored {stored.get(name)}"

    def _standing(self, store: SqlStore, object_: str, truth: Truth) -> Iterator[str]:
        """Yield what does not add up: live records, and versions numbered twice."""
        live = sum(not deleted for _, deleted in truth.values())
        standing = store.standing(self._source, object_)
        if standing.records != live:
            yield f"{object_}: {live} live records, the store counts {standing.records}"
        yield from numbered_twice(store, self._source, object_)

    def _happened(self, since: int) -> Counter[Happening]:
        """Return every field change, creation, deletion and return of the journal."""
        with self._world.lock:
            entries = self._world.journalled(crm=self._crm, since=since)
        happened: Counter[Happening] = Counter()
        for entry in entries:
            if entry["object"] not in self._objects:
                continue
            if op := _OPS.get(entry["op"]):
                happened[entry["record"], op] += 1
                continue
            for name in entry["before"].keys() | entry["after"].keys():
                old, new = entry["before"].get(name), entry["after"].get(name)
                if self._is_told(name) and old != new:
                    happened[entry["record"], name, repr(old), repr(new)] += 1
        return happened

    def _remembered(
        self, store: SqlStore, since: int
    ) -> tuple[Counter[Happening], Counter[Happening]]:
        """Return the same of the store, and what of it may be the vendor's history of before."""
        kept: Counter[Happening] = Counter()
        imported: Counter[Happening] = Counter()
        begun = self._when(since) + timedelta(seconds=1)
        for op in set(Op) - {Op.BASELINE}:
            cursor: str | None = None
            while True:
                query = Query(source=self._source, op=op)
                entries, cursor = store.log(query, limit=_PAGE, cursor=cursor)
                for entry in entries:
                    id_ = entry.change_set.ref.id
                    happening: Happening = (id_, op)
                    if entry.field is not None:
                        if not self._is_told(entry.field):
                            continue
                        happening = (id_, entry.field, _shown(entry.old), _shown(entry.new))
                    kept[happening] += 1
                    imported[happening] += entry.change_set.at <= begun
                if cursor is None:
                    break
        return kept, imported

    def _when(self, seq: int) -> datetime:
        """Return when a journal entry was made; long ago where there is none."""
        with self._world.lock:
            row = self._world.db.execute(
                "SELECT at FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
            ).fetchone()
        return datetime(1990, 1, 1, tzinfo=UTC) if row is None else _moment(row[0])

    def _is_told(self, name: str) -> bool:
        return name not in self._unkept | COUNTS[self._crm] | UNTOLD_BY_JOURNAL


def numbered_twice(store: SqlStore, source: str, object_: str) -> Iterator[str]:
    """Yield the records whose versions are not numbered 1, 2, 3 and so on."""
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT r.ext_id, r.number, count(*), count(DISTINCT v.number), max(v.number)"
            " FROM record AS r JOIN object AS o USING (object_id) JOIN version AS v"
            " ON v.record_id = r.record_id WHERE o.source = ? AND o.name = ?"
            " GROUP BY r.record_id",
            (source, object_),
        ).all()
    for id_, number, versions, different, newest in rows:
        if not number == versions == different == newest:
            yield f"{object_} {id_}: version {number} of {versions}, {different} different"


def _moment(told: str | float) -> datetime:
    if isinstance(told, str):
        return moment(told)
    return datetime.fromtimestamp(told, UTC)


def _shown(token: Token | None) -> str:
    return repr(None if token is None else json.loads(token))
