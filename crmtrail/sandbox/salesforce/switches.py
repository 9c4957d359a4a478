"""Control orders that set the org up rather than write records."""

from collections.abc import Callable
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.merging import TOUCHES
from crmtrail.sandbox.salesforce.orders import Order, Orders
from crmtrail.sandbox.salesforce.quota import Quota
from crmtrail.sandbox.salesforce.rules import KINDS, Rules
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.sessions import Sessions
from crmtrail.sandbox.salesforce.visibility import Visibility


class Switches:
    """Locks, allowances, rights, rules and clocks of the org."""

    def __init__(
        self, editing: Editing, orders: Orders, rules: Rules, visibility: Visibility,
        quota: Quota, sessions: Sessions,
    ) -> None:  # fmt: skip
        self._editing = editing
        self._tables = editing.tables
        self._orders = orders
        self._rules = rules
        self._visibility = visibility
        self._quota = quota
        self._sessions = sessions
        self.verbs: dict[str, Callable[[Order], list[str]]] = {
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
            "allow_audit_fields": lambda order: self._allow(order, "audit_fields"),
            "allow_inactive_owners": lambda order: self._allow(order, "inactive_owners"),
            "allow_converted_leads": lambda order: self._allow(order, "converted_leads"),
            "no_access": self._no_access,
            "bin_cap": lambda order: self._number(order, "most", "bin_cap"),
            "delete_days": lambda order: self._number(order, "days", "delete_days"),
            "merge_touches": self._merge_touches,
            **sessions.verbs,
            "add_rule": self._add_rule,
            "clear_rules": self._clear_rules,
        }

    def _set_lock(self, order: Order, locked: int) -> list[str]:
        sobject = self._orders.object_of(order)
        rows = [row for row, _ in self._orders.rows(order)]
        for row in rows:
            self._tables.change(sobject, row["Id"], {"_locked": locked})
        return [row["Id"] for row in rows]

    def _lock_row(self, order: Order) -> list[str]:
        rows = [row for row, _ in self._orders.rows(order)]
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
        users = [self._orders.user(who)["Id"] for who in wanted]
        sobject = self._tables.schema.objects["User"]
        by, now = self._orders.by(order), self._tables.world.clock.now()
        with self._editing.records.unit(now):
            for row in self._tables.rows(sobject, users).values():
                self._editing.records.update(sobject, row, {"IsActive": active}, by, now)
        return users

    def _hide(self, order: Order) -> list[str]:
        sobject = self._orders.object_of(order)
        user = self._orders.whom(order)
        for name in order.get("fields") or [order["field"]]:
            field = sobject.field(_named(sobject, name))
            self._visibility.limit(user, sobject, field, str(order.get("access", "none")))
        return []

    def _end_sessions(self, order: Order) -> list[str]:
        who = order.get("user")
        self._sessions.end(None if who is None else self._orders.user(who)["Id"])
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
        self._stamp_named(order, "precondition")
        return []

    def _allow(self, order: Order, what: str) -> list[str]:
        self._tables.set(what, self._orders.whom(order))
        return []

    def _no_access(self, order: Order) -> list[str]:
        found = [row["Id"] for row, _ in self._orders.rows(order)]
        self._tables.set("no_access", " ".join(found))
        return found

    def _number(self, order: Order, key: str, setting: str) -> list[str]:
        self._tables.set(setting, str(int(order[key])))
        return []

    def _merge_touches(self, order: Order) -> list[str]:
        self._stamp_named(order, TOUCHES)
        return []

    def _stamp_named(self, order: Order, setting: str) -> None:
        stamp = str(order["stamp"])
        if stamp not in ("LastModifiedDate", "SystemModstamp"):
            raise ValueError("stamp must be LastModifiedDate or SystemModstamp")
        self._tables.set(setting, stamp)

    def _add_rule(self, order: Order) -> list[str]:
        sobject, kind = self._orders.object_of(order), str(order["kind"])
        makers: dict[str, Callable[[SObject, Order], dict[str, Any]]] = {
            "validation": self._validation,
            "flow": self._flow,
            "duplicate": lambda item, told: {"field": _named(item, told["field"])},
            "assignment": lambda _, told: {"owner": self._orders.user(told["owner"])["Id"]},
        }
        if kind not in makers:
            raise ValueError(f"unknown kind of rule {kind!r}; known are {', '.join(KINDS)}")
        self._rules.add(kind, sobject, makers[kind](sobject, order))
        return []

    def _validation(self, sobject: SObject, order: Order) -> dict[str, Any]:
        self._orders.condition(sobject, order["when"])
        return {name: order.get(name) for name in ("when", "message", "field")}

    def _flow(self, sobject: SObject, order: Order) -> dict[str, Any]:
        self._orders.condition(sobject, order["when"])
        return {
            "when": order["when"],
            "set": self._orders.fields(sobject, {"fields": order["set"]}),
        }

    def _clear_rules(self, _order: Order) -> list[str]:
        self._rules.clear()
        return []


def _named(sobject: SObject, name: object) -> str:
    field = sobject.by_name.get(str(name).lower())
    if field is None:
        raise ValueError(f"{sobject.name} has no field {name!r}")
    return field.name
