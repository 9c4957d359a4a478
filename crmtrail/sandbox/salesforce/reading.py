"""Reading records by id: with all or some fields, as JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.refusal import Refusal, no_column
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.scope import Scope
from crmtrail.sandbox.salesforce.shape import shaped
from crmtrail.sandbox.salesforce.soql_tree import Name
from crmtrail.sandbox.salesforce.tables import Tables
from crmtrail.sandbox.salesforce.visibility import View

Chosen = Sequence[tuple[Field, tuple[str, ...]]]


class Reading:
    """Reads records outside of SOQL."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def records(
        self, sobject: SObject, ids: Sequence[str], view: View, base: str,
        names: Iterable[str] | None = None, *, all_rows: bool = False,
    ) -> dict[str, dict[str, Any]]:  # fmt: skip
        """Return live records by id; ``all_rows`` returns deleted ones, too.

        Raises:
            Refusal: an unknown field.
        """
        scope = Scope(self._tables.schema, view, sobject, "")
        shape, columns = shaped(scope, self._chosen(scope, sobject, view, names))
        alive = "" if all_rows else " AND t0._deleted IS NULL"
        cursor = self._tables.db.cursor()
        cursor.row_factory = None
        rows = cursor.execute(
            f"SELECT {columns.sql()} FROM {scope.tables}"
            f' WHERE t0."Id" IN (SELECT value FROM json_each(?)){alive}',
            (json.dumps(list(ids)),),
        )
        built = ((row[shape.id_at], shape.build(row, base)) for row in rows)
        return {id_: record for id_, record in built if record is not None}

    def _chosen(
        self, scope: Scope, sobject: SObject, view: View, names: Iterable[str] | None
    ) -> Chosen:
        if names is None:
            return [(field, ()) for field in view.fields(sobject)]
        chosen: dict[tuple[Field, tuple[str, ...]], None] = {}
        for name in names:
            try:
                _, field, path = scope.resolve(Name(tuple(name.split(".")), 0))
            except Refusal:
                raise no_column(name, sobject.name) from None
            chosen[field, path] = None
        return list(chosen)

    def everything(self, sobject: SObject, id_: str | None) -> list[dict[str, Any]]:
        """Return records with all fields, deleted ones too, each with ``deleted``."""
        if id_ is None:
            found = self._tables.db.execute(f'SELECT "Id" FROM "sf_{sobject.name}" ORDER BY _row')
            ids = [row[0] for row in found]
        else:
            ids = [id_]
        records = self.records(sobject, ids, View({}), "", all_rows=True)
        told = []
        for key in ids:
            if key in records:
                record = records[key]
                del record["attributes"]
                told.append(record | {"deleted": bool(record.get("IsDeleted"))})
        return told
