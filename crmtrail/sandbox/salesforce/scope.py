"""From names in a SOQL statement to SQL: which column, over which joins."""

from dataclasses import dataclass
from itertools import count

from crmtrail.sandbox.salesforce.fields import TEXTUAL, Field
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import Schema, SObject
from crmtrail.sandbox.salesforce.soql_tree import Name, refuse
from crmtrail.sandbox.salesforce.tables import table
from crmtrail.sandbox.salesforce.visibility import View

_KIND = Field("Type", "string", length=40)


@dataclass(frozen=True, slots=True)
class Source:
    """Something a name can start from: one joined table, or one per object of a lookup to many."""

    tables: tuple[tuple[SObject, str], ...]

    @property
    def sobject(self) -> SObject:
        """The object, if the lookup can hold but one."""
        return self.tables[0][0]

    @property
    def many(self) -> bool:
        """Whether rows of several objects can stand here."""
        return len(self.tables) > 1

    @property
    def entity(self) -> str:
        """What attributes.type calls such a row: Name, if it can be of several objects."""
        return "Name" if self.many else self.sobject.name

    def kind(self) -> str:
        """Return SQL for the object's name of the row that stands here."""
        cases = " ".join(
            f"WHEN {alias}.\"Id\" IS NOT NULL THEN '{item.name}'" for item, alias in self.tables
        )
        return f"CASE {cases} END"

    def sql(self, field: Field) -> str:
        """Return SQL for a field of the row that stands here."""
        if field is _KIND:
            return self.kind()
        parts = []
        for item, alias in self.tables:
            own = item.by_name.get(field.name.lower())
            if own is None:
                continue
            if own.lookup is None:
                parts.append(f'{alias}."{own.name}"')
            else:
                by, target, column = own.lookup
                parts.append(
                    f'(SELECT p."{column}" FROM "sf_{target}" p WHERE p."Id" = {alias}."{by}")'
                )
        return parts[0] if len(parts) == 1 else f"COALESCE({', '.join(parts)})"

    def compared(self, field: Field) -> str:
        """Return SQL for a field to compare or sort by: text without regard to case."""
        sql = self.sql(field)
        # A bare column brings its collation along; an expression does not.
        return f"{sql} COLLATE NOCASE" if field.type in TEXTUAL and "(" in sql else sql


class Scope:
    """The tables of one SELECT: the object asked for and the parents its names reach."""

    def __init__(
        self,
        schema: Schema,
        view: View,
        sobject: SObject,
        text: str,
        *,
        alias: str | None = None,
        mark: str = "t",
    ) -> None:
        self.schema = schema
        self.view = view
        self.text = text
        self.mark = mark
        self.root = Source(((sobject, f"{mark}0"),))
        self._own = {sobject.name.lower(), (alias or sobject.name).lower()}
        self._joins: list[str] = []
        self._sources: dict[tuple[str, ...], Source] = {(): self.root}
        self._numbers = count(1)

    @property
    def tables(self) -> str:
        """The FROM clause's tables and joins."""
        first = f"{table(self.root.sobject)} {self.mark}0"
        return " ".join([first, *self._joins])

    def resolve(self, name: Name) -> tuple[Source, Field, tuple[str, ...]]:
        """Return where a name leads: source, field, and the path of relationships spelled right.

        Raises:
            Refusal: an unknown field or relationship.
        """
        parts = name.parts
        if len(parts) > 1 and parts[0].lower() in self._own:
            parts = parts[1:]
        source = self.root
        path: tuple[str, ...] = ()
        for part in parts[:-1]:
            source, path = self._follow(source, path, part, name)
        return source, self._field(source, parts[-1], name), path

    def source(self, path: tuple[str, ...]) -> Source:
        """Return the source at a path `resolve` gave."""
        return self._sources[path]

    def _field(self, source: Source, part: str, name: Name) -> Field:
        if source.many and part.lower() == "type":
            return _KIND
        for item, _ in source.tables:
            field = self.view.field(item, part)
            if field is not None:
                return field
        raise self.unknown(part, source.entity, name.at)

    def _follow(
        self, source: Source, path: tuple[str, ...], part: str, name: Name
    ) -> tuple[Source, tuple[str, ...]]:
        lookup = None
        for item, _ in source.tables:
            lookup = lookup or item.by_relationship.get(part.lower())
        if lookup is not None and self.view.hidden.issuperset(lookup.refers):
            lookup = None
        if lookup is None or self.view.field(source.sobject, lookup.name) is None:
            raise refuse(
                "INVALID_FIELD",
                self.text,
                name.at,
                f"Didn't understand relationship '{part}' in field path. If you are attempting"
                " to use a custom relationship, be sure to append the '__r' after the custom"
                " relationship name. Please reference your WSDL or the describe call for the"
                " appropriate names.",
            )
        onward = (*path, lookup.relationship or "")
        if onward not in self._sources:
            self._sources[onward] = self._join(source, lookup)
        return self._sources[onward], onward

    def _join(self, source: Source, lookup: Field) -> Source:
        joined = []
        for target in lookup.refers:
            alias = f"{self.mark}{next(self._numbers)}"
            item = self.schema.objects[target]
            self._joins.append(
                f'LEFT JOIN {table(item)} {alias} ON {alias}."{item.key}" = {source.sql(lookup)}'
            )
            joined.append((item, alias))
        return Source(tuple(joined))

    def unknown(self, part: str, entity: str, at: int) -> Refusal:
        """Make the refusal for a field that is not there."""
        return refuse(
            "INVALID_FIELD",
            self.text,
            at,
            f"No such column '{part}' on entity '{entity}'. If you are attempting to use a custom"
            " field, be sure to append the '__c' after the custom field name. Please reference"
            " your WSDL or the describe call for the appropriate names.",
        )
