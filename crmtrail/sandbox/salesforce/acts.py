"""What people, apps, imports and the platform do inside the org, on order of the control API."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import ids, moments, soql
from crmtrail.sandbox.salesforce.compiling import Compiler
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.quota import Quota
from crmtrail.sandbox.salesforce.records import SYSTEM, By
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.sessions import Sessions
from crmtrail.sandbox.salesforce.validate import parse
from crmtrail.sandbox.salesforce.visibility import EVERYBODY, View, Visibility
from crmtrail.sandbox.world import Actor

ADMIN, AUTOMATION, SYNC = "Priya Raman", "Automated Process", "Marketing Sync"
_DEFAULTS = {"user": ADMIN, "app": SYNC, "import": ADMIN, "workflow": AUTOMATION}
_ON_RECORDS = ("update", "create", "delete", "undelete", "purge", "touch")
Order = Mapping[str, Any]
Job = dict[str, Any]


class Acts:
    """Carries out control orders; see docs/sandbox.md for every one."""

    def __init__(
        self, editing: Editing, visibility: Visibility, quota: Quota, sessions: Sessions
    ) -> None:
        self._editing = editing
        self._records = editing.records
        self._tables = editing.tables
        self._visibility = visibility
        self._quota = quota
        self._sessions = sessions
        self._verbs: dict[str, Callable[[Order], list[str]]] = {
            "lock": lambda order: self._set_lock(order, 1),
            "unlock": lambda order: self._set_lock(order, 0),
            "lock_row": self._lock_row,
            "quota": self._set_quota,
            "commit_delay": self._set_delay,
            "deactivate_user": lambda order: self._set_active(order, 0),
            "activate_user": lambda order: self._set_active(order, 1),
            "hide_field": self._hide,
            "end_sessions": self._end_sessions,
            "cut_delete_log": self._cut_log,
            "cap_ids": self._cap_ids,
            "precondition": self._precondition,
            "allow_audit_fields": self._allow_audit_fields,
        }

    def act(self, order: Order) -> dict[str, Any]:
        """Carry out one order.

        Raises:
            ValueError: the order makes no sense, or the org refuses it.
        """
        verb = str(order.get("do"))
        try:
            if verb in _ON_RECORDS:
                return {"ids": self._on_records(verb, order)}
            if verb in self._verbs:
                return {"ids": self._verbs[verb](order)}
        except Refusal as refusal:
            raise ValueError(str(refusal)) from refusal
        known = ", ".join([*_ON_RECORDS, *self._verbs])
        raise ValueError(f"unknown act {verb!r}; known are {known}")

    def settle(self) -> None:
        """Make visible what was written earlier and commits by now."""
        now = self._tables.world.clock.now().timestamp()
        due = self._tables.db.execute(
            "SELECT seq, stamp, work FROM sf_pending WHERE visible <= ? ORDER BY seq", (now,)
        ).fetchall()
        for seq, stamp, work in due:
            self._tables.db.execute("DELETE FROM sf_pending WHERE seq = ?", (seq,))
            self._do(json.loads(work), moments.parse(stamp))

    def _on_records(self, verb: str, order: Order) -> list[str]:
        sobject = self._object(order)
        by = self._by(order.get("as") or {})
        job: Job = {
            "do": verb,
            "object": sobject.name,
            "by": [by.actor.kind, by.actor.id, by.actor.name, by.user, by.silent],
            "records": self._prepared(verb, sobject, order),
        }
        now = self._tables.world.clock.now()
        delay = float(order.get("commit_delay", self._tables.setting("commit_delay", "0")))
        if delay > 0:
            self._tables.db.execute(
                "INSERT INTO sf_pending(visible, stamp, work) VALUES (?, ?, ?)",
                (
                    (now + timedelta(seconds=delay)).timestamp(),
                    moments.stamp(now),
                    json.dumps(job),
                ),
            )
        else:
            self._do(job, now)
        return [record["id"] for record in job["records"]]

    def _prepared(self, verb: str, sobject: SObject, order: Order) -> list[dict[str, Any]]:
        """Return checked work: the id of each record and the values to store."""
        check = self._editing.validation
        if verb == "create":
            found = [self._fields(sobject, item) for item in self._listed(order)]
            values = [check.new(sobject, item, None) for item in found]
            fresh = self._tables.new_ids(sobject, len(values))
            return [{"id": i, "fields": v} for i, v in zip(fresh, values, strict=True)]
        rows = self._rows(sobject, order)
        if verb == "undelete" and any(row["_deleted"] is None for row, _ in rows):
            raise ValueError("undelete: a record is not in the recycle bin")
        if verb in ("update", "delete", "touch"):
            for row, _ in rows:
                if row["_deleted"] is not None:
                    raise ValueError(f"{verb}: {row['Id']} is deleted")
        if verb != "update":
            return [{"id": row["Id"]} for row, _ in rows]
        return [
            {"id": row["Id"], "fields": check.edit(sobject, fields, row, None)}
            for row, fields in rows
        ]

    def _do(self, job: Job, at: datetime) -> None:
        sobject = self._tables.schema.objects[job["object"]]
        kind, id_, name, user, silent = job["by"]
        by = By(Actor(kind, id_, name), user, silent)
        with self._records.unit(at):
            if job["do"] == "create":
                new = [(record["id"], record["fields"]) for record in job["records"]]
                self._records.create_as(sobject, new, by, at)
                return
            for record in job["records"]:
                row = self._tables.row(sobject, record["id"])
                if row is not None:
                    self._one(job["do"], sobject, row, record.get("fields", {}), by, at)

    def _one(
        self, verb: str, sobject: SObject, row: dict[str, Any], fields: Mapping[str, Any],
        by: By, at: datetime,
    ) -> None:  # fmt: skip
        deletion = self._editing.deletion
        if verb == "update":
            self._records.update(sobject, row, fields, by, at)
        elif verb == "touch":
            self._records.touch(sobject, row, by, at)
        elif verb == "purge":
            deletion.purge(sobject, row, by, at)
        elif verb == "undelete":
            deletion.undelete(sobject, row, by, at)
        elif row["_deleted"] is None:
            # An earlier one of the same order may have taken it along.
            deletion.delete(sobject, row, by, at)

    def _object(self, order: Order) -> SObject:
        name = str(order.get("object"))
        found = self._tables.schema.get(name)
        if found is None:
            known = ", ".join(self._tables.schema.objects)
            raise ValueError(f"unknown object {name!r}; known are {known}")
        return found

    def _by(self, who: Mapping[str, Any]) -> By:
        kind = str(who.get("kind", "user"))
        if kind == "system":
            return By(SYSTEM, self._user(AUTOMATION)["Id"], silent=True)
        if kind not in _DEFAULTS:
            raise ValueError(f"unknown kind {kind!r}; known are system, {', '.join(_DEFAULTS)}")
        user = self._user(str(who.get("id") or who.get("name") or _DEFAULTS[kind]))
        return By(Actor(kind, user["Id"], user["Name"]), user["Id"])

    def _user(self, who: str) -> dict[str, Any]:
        row = self._tables.db.execute(
            'SELECT "Id", "Name" FROM "sf_User" WHERE "Id" = ? OR "Name" = ? OR "Username" = ?',
            (ids.normal(who), who, who),
        ).fetchone()
        if row is None:
            names = self._tables.db.execute('SELECT "Name" FROM "sf_User" ORDER BY _row')
            raise ValueError(f"no user {who!r}; known are {', '.join(name for (name,) in names)}")
        return dict(row)

    def _listed(self, order: Order) -> Sequence[Mapping[str, Any]]:
        """Return the records of an order: each its own, or ids with common fields."""
        if "records" in order:
            listed = order["records"]
        elif "where" in order:
            listed = [{"id": id_} for id_ in self._matching(order)]
        else:
            listed = [{"id": id_} for id_ in order.get("ids", ())]
        if not listed:
            raise ValueError("name at least one record: records, ids or where")
        return [{"fields": order.get("fields", {}), **item} for item in listed]

    def _matching(self, order: Order) -> list[str]:
        view, now = View({}), self._tables.world.clock.now()
        compiler = Compiler(self._tables.schema, view, now, all_rows=False)
        query = soql.parse(f"SELECT Id FROM {order['object']} WHERE {order['where']}")
        scope = compiler.scope(query, compiler.sobject(query))
        test, values = compiler.where(query, scope)
        rows = self._tables.db.execute(
            f'SELECT t0."Id" FROM {scope.tables} WHERE {test} ORDER BY t0._row', values
        )
        return [row[0] for row in rows]

    def _fields(self, sobject: SObject, item: Mapping[str, Any]) -> dict[str, Any]:
        return parse(sobject, item["fields"], View({}))

    def _rows(self, sobject: SObject, order: Order) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        listed = self._listed(order)
        wanted = [ids.normal(item.get("id")) for item in listed]
        found = self._tables.rows(sobject, [id_ for id_ in wanted if id_])
        rows = []
        for item, id_ in zip(listed, wanted, strict=True):
            if id_ not in found:
                raise ValueError(f"no {sobject.name} with id {item.get('id')!r}")
            rows.append((found[id_], self._fields(sobject, item)))
        return rows

    def _set_lock(self, order: Order, locked: int) -> list[str]:
        sobject = self._object(order)
        rows = [row for row, _ in self._rows(sobject, order)]
        for row in rows:
            self._tables.change(sobject, row["Id"], {"_locked": locked})
        return [row["Id"] for row in rows]

    def _lock_row(self, order: Order) -> list[str]:
        rows = [row for row, _ in self._rows(self._object(order), order)]
        for row in rows:
            self._editing.busy[row["Id"]] = int(order.get("times", 1))
        return [row["Id"] for row in rows]

    def _set_quota(self, order: Order) -> list[str]:
        if not {"max", "used"} & set(order):
            raise ValueError("quota wants max, used or both")
        self._quota.set(most=order.get("max"), used=order.get("used"))
        return []

    def _set_delay(self, order: Order) -> list[str]:
        self._tables.set("commit_delay", str(float(order["seconds"])))
        return []

    def _set_active(self, order: Order, active: int) -> list[str]:
        wanted = order.get("ids") or [order.get("id") or order.get("name")]
        users = [self._user(str(who)) for who in wanted]
        sobject = self._tables.schema.objects["User"]
        by, now = self._by(order.get("as") or {}), self._tables.world.clock.now()
        with self._records.unit(now):
            for user in users:
                row = self._tables.row(sobject, user["Id"])
                if row is not None:
                    self._records.update(sobject, row, {"IsActive": active}, by, now)
        return [user["Id"] for user in users]

    def _hide(self, order: Order) -> list[str]:
        sobject = self._object(order)
        who = order.get("user")
        user = EVERYBODY if who is None else self._user(str(who))["Id"]
        for name in order.get("fields") or [order["field"]]:
            field = sobject.by_name.get(str(name).lower())
            if field is None:
                raise ValueError(f"{sobject.name} has no field {name!r}")
            self._visibility.limit(user, sobject, field, str(order.get("access", "none")))
        return []

    def _end_sessions(self, order: Order) -> list[str]:
        who = order.get("user")
        self._sessions.end(None if who is None else self._user(str(who))["Id"])
        return []

    def _cut_log(self, _order: Order) -> list[str]:
        now = self._tables.world.clock.now().replace(second=0)
        self._tables.set("log_since", moments.stamp(now))
        self._tables.db.execute("DELETE FROM sf_tombstone")
        return []

    def _cap_ids(self, order: Order) -> list[str]:
        self._tables.set("most_ids", str(int(order["most"])))
        return []

    def _precondition(self, order: Order) -> list[str]:
        stamp = str(order["stamp"])
        if stamp not in ("LastModifiedDate", "SystemModstamp"):
            raise ValueError("stamp must be LastModifiedDate or SystemModstamp")
        self._tables.set("precondition", stamp)
        return []

    def _allow_audit_fields(self, order: Order) -> list[str]:
        who = order.get("user")
        user = EVERYBODY if who is None else self._user(str(who))["Id"]
        self._tables.set("audit_fields", user)
        return []
