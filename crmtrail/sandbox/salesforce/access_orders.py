"""Control orders about logins, permissions, licences and what an identity sees at all."""

from datetime import datetime

from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.access_permissions import RIGHTS
from crmtrail.sandbox.salesforce.access_trail import SUCCESS, AccessTrail
from crmtrail.sandbox.salesforce.deletion import Deletion
from crmtrail.sandbox.salesforce.orders import Order, Orders
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.visibility import Visibility
from crmtrail.sandbox.world import Actor

LICENCES = ("event_monitoring", "shield", "field_audit_trail", "cpq", "flow_approvals")
_ASSIGNMENT = "PermissionSetAssignment"


class AccessOrders:
    """Lets people log in, and administrators change who may do what."""

    def __init__(
        self, deletion: Deletion, orders: Orders, visibility: Visibility, trail: AccessTrail,
        records: Records,
    ) -> None:  # fmt: skip
        self._deletion = deletion
        self._orders = orders
        self._visibility = visibility
        self._trail = trail
        self._records = records
        self._tables = records.tables
        self.verbs = {
            "login": self._login,
            "setup": self._setup,
            "grant": self._grant,
            "revoke": self._revoke,
            "permit": self._permit,
            "hide_object": self._hide,
            "licence": self._licence,
            "query_all_files": self._all_files,
        }

    def _login(self, order: Order) -> list[str]:
        user = self._orders.user(order["user"])
        by = By(Actor("user", user["Id"], user["Name"]), user["Id"])
        now = self._tables.world.clock.now()
        at = datetime.fromisoformat(str(order["at"])) if "at" in order else now
        with self._records.unit(now):
            made = [self._trail.login(by, at, order)]
            if "verification" in order:
                made.append(self._verified(by, at, made[0], str(order["verification"]), order))
        return made

    def _verified(self, by: By, at: datetime, login: str, method: str, order: Order) -> str:
        sobject = self._tables.schema.objects["VerificationHistory"]
        passed = order.get("status", SUCCESS) == SUCCESS
        values = {
            "VerificationTime": moments.stamp(at),
            "VerificationMethod": method,
            "UserId": by.user,
            "Activity": "Login",
            "Status": "Succeeded" if passed else "FailedInvalidCode",
            "LoginHistoryId": login,
            "SourceIp": order.get("ip"),
            "Policy": "DeviceActivation",
        }
        return self._records.create(sobject, [values], by, at)[0]

    def _setup(self, order: Order) -> list[str]:
        line = (str(order["action"]), str(order.get("section", "")), str(order["display"]))
        by, now = self._orders.by(order), self._tables.world.clock.now()
        at = datetime.fromisoformat(str(order["at"])) if "at" in order else now
        with self._records.unit(now), self._trail.delegated(order.get("delegate")):
            more = {"CreatedByContext": order.get("context")}
            return [self._trail.setup(line, by, at, **more)]

    def _named(self, order: Order) -> str:
        """Return the id of the permission set an order names: id, name or label."""
        who = str(order["permission_set"])
        row = self._tables.db.execute(
            'SELECT "Id" FROM "sf_PermissionSet" WHERE "Id" = ? OR "Name" = ? OR "Label" = ?',
            (ids.normal(who), who, who),
        ).fetchone()
        if row is None:
            known = self._tables.db.execute('SELECT "Name" FROM "sf_PermissionSet"').fetchall()
            raise ValueError(
                f"no permission set {who!r}; known are {', '.join(n for (n,) in known)}"
            )
        return str(row[0])

    def _grant(self, order: Order) -> list[str]:
        user, granted = self._orders.user(order["user"])["Id"], self._named(order)
        if self._assigned(user, granted):
            raise ValueError(f"{order['user']} already has {order['permission_set']}")
        values = {"AssigneeId": user, "PermissionSetId": granted}
        if "expires" in order:
            values["ExpirationDate"] = moments.stamp(moments.parse(str(order["expires"])))
        by, now = self._orders.by(order), self._tables.world.clock.now()
        with self._records.unit(now), self._trail.delegated(order.get("delegate")):
            made = self._records.create(self._tables.schema.objects[_ASSIGNMENT], [values], by, now)
            self._told("AssignedUserToPermissionSet", user, granted, by, now)
        return made

    def _revoke(self, order: Order) -> list[str]:
        user, granted = self._orders.user(order["user"])["Id"], self._named(order)
        found = self._assigned(user, granted)
        if not found:
            raise ValueError(f"{order['user']} does not have {order['permission_set']}")
        sobject = self._tables.schema.objects[_ASSIGNMENT]
        by, now = self._orders.by(order), self._tables.world.clock.now()
        with self._records.unit(now), self._trail.delegated(order.get("delegate")):
            for row in self._tables.rows(sobject, found).values():
                self._deletion.delete(sobject, row, by, now)
            self._told("UnassignedUserFromPermissionSet", user, granted, by, now)
        return found

    def _assigned(self, user: str, granted: str) -> list[str]:
        rows = self._tables.db.execute(
            'SELECT "Id" FROM "sf_PermissionSetAssignment"'
            ' WHERE "AssigneeId" = ? AND "PermissionSetId" = ?',
            (user, granted),
        )
        return [row[0] for row in rows]

    def _told(self, operation: str, user: str, granted: str, by: By, at: datetime) -> None:
        values = {
            "Operation": operation,
            "EventSource": "UI",
            "ImpactedUserIds": f'["{user}"]',
            "ParentIdList": granted,
            "UserCount": "1",
        }
        self._trail.event("PermissionSetEventStore", values, by, at)

    def _permit(self, order: Order) -> list[str]:
        """Change a system permission: ``{"permission_set", "right": "ViewAllData", "on"}``."""
        right = str(order["right"]).removeprefix("Permissions")
        if right not in RIGHTS:
            raise ValueError(f"unknown right {right!r}; known are {', '.join(RIGHTS)}")
        values = {f"Permissions{right}": int(bool(order.get("on", True)))}
        sets, profiles = (self._tables.schema.objects[n] for n in ("PermissionSet", "Profile"))
        granted = self._named(order)
        by, now = self._orders.by(order), self._tables.world.clock.now()
        with self._records.unit(now), self._trail.delegated(order.get("delegate")):
            row = self._tables.rows(sets, [granted])[granted]
            self._records.update(sets, row, values, by, now)
            profile = row["ProfileId"] and self._tables.row(profiles, row["ProfileId"])
            if profile and f"Permissions{right}" in profile:
                self._records.update(profiles, profile, values, by, now)
        return [granted]

    def _hide(self, order: Order) -> list[str]:
        hidden = bool(order.get("hidden", True))
        sobject = self._orders.object_of(order)
        self._visibility.hide(self._orders.whom(order), sobject, hidden=hidden)
        return []

    def _licence(self, order: Order) -> list[str]:
        name = str(order["name"])
        if name not in LICENCES:
            raise ValueError(f"unknown licence {name!r}; known are {', '.join(LICENCES)}")
        missing = set(self._tables.setting("licences_off").split()) - {name}
        if not order.get("on", True):
            missing.add(name)
        self._tables.set("licences_off", " ".join(sorted(missing)))
        self._visibility.changed()
        return []

    def _all_files(self, order: Order) -> list[str]:
        """Give the permission Query All Files to a user, or to everybody."""
        self._tables.set(
            "query_all_files", self._orders.whom(order) if order.get("on", True) else ""
        )
        return []
