"""What people, apps, imports and the platform do inside the org, on order of the control API."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.orders import Found, Order, Orders
from crmtrail.sandbox.salesforce.records import By
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.switches import Switches
from crmtrail.sandbox.world import Actor

_ON_RECORDS = ("update", "create", "delete", "undelete", "purge", "touch", "merge")
Job = dict[str, Any]


class Acts:
    """Carries out control orders; see docs/sandbox.md for every one."""

    def __init__(self, editing: Editing, orders: Orders, switches: Switches) -> None:
        self._editing = editing
        self._records = editing.records
        self._tables = editing.tables
        self._orders = orders
        self._switches = switches

    def act(self, order: Order) -> dict[str, Any]:
        """Carry out one order.

        Raises:
            ValueError: the order makes no sense, or the org refuses it.
        """
        verb = str(order.get("do"))
        try:
            if verb in _ON_RECORDS:
                return {"ids": self._on_records(verb, order)}
            if verb in self._switches.verbs:
                return {"ids": self._switches.verbs[verb](order)}
        except Refusal as refusal:
            raise ValueError(str(refusal)) from refusal
        known = ", ".join([*_ON_RECORDS, *self._switches.verbs])
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
        sobject = self._orders.object_of(order)
        by = self._orders.by(order)
        job: Job = {
            "do": verb,
            "object": sobject.name,
            "by": [by.actor.kind, by.actor.id, by.actor.name, by.user, by.silent],
            "records": self._prepared(verb, sobject, order),
        }
        now = self._tables.world.clock.now()
        delay = float(order.get("commit_delay", self._tables.setting("commit_delay", "0")))
        if delay > 0:
            visible = (now + timedelta(seconds=delay)).timestamp()
            self._tables.db.execute(
                "INSERT INTO sf_pending(visible, stamp, work) VALUES (?, ?, ?)",
                (visible, moments.stamp(now), json.dumps(job)),
            )
        else:
            self._do(job, now)
        return [record["id"] for record in job["records"]]

    def _prepared(self, verb: str, sobject: SObject, order: Order) -> list[dict[str, Any]]:
        """Return checked work: the id of each record and the values to store."""
        check = self._editing.validation
        if verb == "create":
            found = [self._orders.fields(sobject, item) for item in self._orders.listed(order)]
            values = [check.new(sobject, item, None) for item in found]
            fresh = self._tables.new_ids(sobject, len(values))
            return [{"id": i, "fields": v} for i, v in zip(fresh, values, strict=True)]
        rows = self._orders.rows(order)
        for row, _ in rows:
            gone = row["_deleted"] is not None
            if verb == "undelete" and not gone:
                raise ValueError(f"undelete: {row['Id']} is not in the recycle bin")
            if verb in ("update", "delete", "touch", "merge") and gone:
                raise ValueError(f"{verb}: {row['Id']} is deleted")
        if verb == "merge":
            return self._merged(sobject, rows)
        if verb != "update":
            return [{"id": row["Id"]} for row, _ in rows]
        return [
            {"id": row["Id"], "fields": check.edit(sobject, fields, row, None)}
            for row, fields in rows
        ]

    def _merged(self, sobject: SObject, rows: Found) -> list[dict[str, Any]]:
        """Return checked work of a merge: the winner with its values first, then the losers."""
        (winner, fields), *losers = rows
        self._editing.merging.check(sobject, winner, [row for row, _ in losers])
        values = self._editing.validation.edit(sobject, fields, winner, None)
        return [
            {"id": winner["Id"], "fields": values},
            *({"id": row["Id"]} for row, _ in losers),
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
            if job["do"] == "merge":
                ids = [record["id"] for record in job["records"]]
                found = self._tables.rows(sobject, ids)
                values = job["records"][0]["fields"]
                winner, *losers = [found[id_] for id_ in ids]
                self._editing.merging.merge(sobject, winner, losers, values, by, at)
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
            if row["_deleted"] is not None:
                deletion.undelete(sobject, row, by, at)
        elif row["_deleted"] is None:
            # An earlier one of the same order may have taken it along.
            deletion.delete(sobject, row, by, at)
