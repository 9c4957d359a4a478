"""Reading control orders: which object, which records, who acts."""

from collections.abc import Mapping, Sequence
from typing import Any

from crmtrail.sandbox.salesforce import ids, soql
from crmtrail.sandbox.salesforce.compiling import Compiler
from crmtrail.sandbox.salesforce.records import SYSTEM, By
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables
from crmtrail.sandbox.salesforce.validate import Values, parse
from crmtrail.sandbox.salesforce.visibility import EVERYBODY, View
from crmtrail.sandbox.world import Actor

ADMIN, AUTOMATION, SYNC = "Priya Raman", "Automated Process", "Marketing Sync"
_DEFAULTS = {"user": ADMIN, "app": SYNC, "import": ADMIN, "workflow": AUTOMATION}
Order = Mapping[str, Any]
Found = list[tuple[dict[str, Any], Values]]


class Orders:
    """Finds in the org what orders name. Every mistake is a ValueError with one clear line."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def object_of(self, order: Order) -> SObject:
        """Return the object an order names."""
        name = str(order.get("object"))
        found = self._tables.schema.get(name)
        if found is None:
            known = ", ".join(self._tables.schema.objects)
            raise ValueError(f"unknown object {name!r}; known are {known}")
        return found

    def by(self, order: Order) -> By:
        """Return who acts: ``as`` with kind and id or name; without it, the administrator."""
        who = order.get("as") or {}
        kind = str(who.get("kind", "user"))
        if kind == "system":
            return By(SYSTEM, self.user(AUTOMATION)["Id"], silent=True)
        if kind not in _DEFAULTS:
            raise ValueError(f"unknown kind {kind!r}; known are system, {', '.join(_DEFAULTS)}")
        user = self.user(who.get("id") or who.get("name") or _DEFAULTS[kind])
        return By(Actor(kind, user["Id"], user["Name"]), user["Id"])

    def user(self, who: object) -> dict[str, Any]:
        """Return id and name of the user with an id, name or username."""
        row = self._tables.db.execute(
            'SELECT "Id", "Name" FROM "sf_User" WHERE "Id" = ? OR "Name" = ? OR "Username" = ?',
            (ids.normal(who), str(who), str(who)),
        ).fetchone()
        if row is None:
            names = self._tables.db.execute('SELECT "Name" FROM "sf_User" ORDER BY _row')
            raise ValueError(f"no user {who!r}; known are {', '.join(name for (name,) in names)}")
        return dict(row)

    def whom(self, order: Order) -> str:
        """Return the id of the user an order is about, or the sign for everybody."""
        who = order.get("user")
        return EVERYBODY if who is None else str(self.user(who)["Id"])

    def listed(self, order: Order) -> Sequence[Order]:
        """Return the records of an order: each with its own fields, or all with common ones."""
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
        tables, values = self.condition(self.object_of(order), str(order["where"]))
        rows = self._tables.db.execute(f'SELECT t0."Id" FROM {tables} ORDER BY t0._row', values)
        return [row[0] for row in rows]

    def condition(self, sobject: SObject, where: str) -> tuple[str, list[Any]]:
        """Return SQL from FROM on for the live records a SOQL condition selects."""
        now = self._tables.world.clock.now()
        compiler = Compiler(self._tables.schema, View({}), now, all_rows=False)
        query = soql.parse(f"SELECT Id FROM {sobject.name} WHERE {where}")
        scope = compiler.scope(query, sobject)
        test, values = compiler.where(query, scope)
        return f"{scope.tables} WHERE {test}", values

    def fields(self, sobject: SObject, item: Order) -> Values:
        """Return the fields of a record of an order."""
        return parse(sobject, item["fields"], View({}))

    def rows(self, order: Order) -> Found:
        """Return the rows an order names, deleted ones too, each with the fields it brings."""
        sobject = self.object_of(order)
        listed = self.listed(order)
        wanted = [ids.normal(item.get("id")) for item in listed]
        found = self._tables.rows(sobject, [id_ for id_ in wanted if id_])
        rows: Found = []
        for item, id_ in zip(listed, wanted, strict=True):
            if id_ not in found:
                raise ValueError(f"no {sobject.name} with id {item.get('id')!r}")
            rows.append((found[id_], self.fields(sobject, item)))
        return rows
