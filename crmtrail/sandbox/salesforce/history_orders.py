"""Control orders about history rows."""

import json
from collections.abc import Sequence
from typing import Any

from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.histories import ACTIVITY, activity_row
from crmtrail.sandbox.salesforce.orders import Order, Orders
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

Row = dict[str, Any]


class HistoryOrders:
    """Lets the past be as a test needs it."""

    def __init__(self, tables: Tables, orders: Orders) -> None:
        self._tables = tables
        self._orders = orders
        self.verbs = {"write_history": self._write, "delete_history": self._delete}

    def _write(self, order: Order) -> list[str]:
        """Add rows: ``{"id", "rows": [{"at", "field", "old", "new", "type", "as"}]}``."""
        sobject, history = self._history(order)
        id_ = ids.normal(order["id"])
        if id_ is None or self._tables.row(sobject, id_) is None:
            raise ValueError(f"no {sobject.name} with id {order['id']!r}")
        rows = [self._row(sobject, id_, told) for told in order["rows"]]
        if history.name == ACTIVITY:
            rows = [activity_row(row) for row in rows]
        fresh = self._tables.new_ids(history, len(rows))
        made = [row | {"Id": new} for new, row in zip(fresh, rows, strict=True)]
        self._tables.insert(history, made)
        return fresh

    def _row(self, sobject: SObject, id_: str, told: Order) -> Row:
        values = {
            f"{side.title()}Value": None if told.get(side) is None else json.dumps(told[side])
            for side in ("old", "new")
        }
        return {
            sobject.parent_key: id_,
            "CreatedById": self._orders.by({"as": {"name": told["as"]}}).user,
            "CreatedDate": moments.stamp(moments.parse(str(told["at"]))),
            "Field": str(told["field"]),
            "DataType": str(told.get("type", "Text")),
            **values,
        }

    def _delete(self, order: Order) -> list[str]:
        """Delete history rows of records, as a customer may be let to."""
        sobject, history = self._history(order)
        gone: list[str] = []
        now = moments.stamp(self._tables.world.clock.now())
        for row, _ in self._orders.rows(order):
            key = history.field(sobject.parent_key)
            found: Sequence[Row] = self._tables.pointing(history, key, row["Id"])
            for one in found:
                self._tables.change(history, one["Id"], {"_deleted": now, "_root": one["Id"]})
                gone.append(one["Id"])
        return gone

    def _history(self, order: Order) -> tuple[SObject, SObject]:
        sobject = self._orders.object_of(order)
        if sobject.history is None:
            raise ValueError(f"{sobject.name} keeps no history")
        return sobject, self._tables.schema.objects[sobject.history]
