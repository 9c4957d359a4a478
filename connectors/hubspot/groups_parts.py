"""Which lists make up a trail object, and which records lie in them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from connectors.hubspot.groups_rows import (
    part_of,
    parts_of,
    record_id,
    text_in,
    tokens,
    value_in,
)
from connectors.hubspot.object_names import STANDARD
from connectors.hubspot.shapes import Row
from crmtrail.errors import Unavailable
from crmtrail.model import Token

Query = tuple[tuple[str, str], ...]

_ARCHIVED: Final[Query] = (("archived", "true"),)
_MOST: Final[Query] = (("limit", "100"),)
_SENSITIVE: Final = ("sensitive", "highly_sensitive")
_PIPED: Final = ("deals", "tickets", "leads")
"""Standard objects with pipelines; custom ones may have some too."""

_TYPE_IDS: Final[Mapping[str, str]] = {one.name: one.type_id for one in STANDARD}


class Part(NamedTuple):
    """One list. ``of`` is the object that it belongs to, if any.

    ``spare`` ones are asked for only in a walk that tells: of the others each change is one of
    theirs too, or once a day will do. What lies in one that is ``gone`` is no longer live.
    """

    of: str
    path: str
    query: Query = ()
    spare: bool = False
    gone: bool = False


class Found(NamedTuple):
    """One record of a list: its id, the row that tells its stamps, and its fields."""

    id: str
    row: Row
    fields: dict[str, Token]


def parts_for(object_: str, custom: Sequence[tuple[str, str]]) -> Sequence[Part]:
    """Return the lists of a trail object.

    Args:
        object_: which.
        custom: names and type ids of the custom objects.
    """
    of = (*_TYPE_IDS, *(name for name, _ in custom))
    return _PARTS[object_](of, dict(custom))


def needs_custom(object_: str) -> bool:
    """Whether the lists of a trail object depend on the custom objects."""
    return object_ in _BY_TYPE


def found_in(object_: str, part: Part, rows: Sequence[Row]) -> Iterator[Found]:
    """Yield the records that lie in one page of a list.

    Raises:
        Unavailable: one of them has no id.
    """
    read = _READ.get(object_, _plain)
    for row in rows:
        yield from read(part, row)


def _definitions(of: Sequence[str], _: Mapping[str, str]) -> list[Part]:
    paths = [(one, f"/crm/v3/properties/{one}") for one in of]
    return [
        *(Part(one, path) for one, path in paths),
        *(
            Part(one, path, (("dataSensitivity", how),), spare=True)
            for one, path in paths
            for how in _SENSITIVE
        ),
        *(Part(one, path, _ARCHIVED, spare=True, gone=True) for one, path in paths),
    ]


def _groups(of: Sequence[str], _: Mapping[str, str]) -> list[Part]:
    return [Part(one, f"/crm/v3/properties/{one}/groups") for one in of]


def _pipelines(_: Sequence[str], custom: Mapping[str, str]) -> list[Part]:
    return [Part(one, f"/crm/v3/pipelines/{one}") for one in (*_PIPED, *custom)]


def _rules(of: Sequence[str], custom: Mapping[str, str]) -> list[Part]:
    ids = {**_TYPE_IDS, **custom}
    return [Part(one, f"/crm/v3/property-validations/{ids[one]}") for one in of if one in ids]


def _fixed(*parts: Part) -> Callable[[Sequence[str], Mapping[str, str]], list[Part]]:
    return lambda _of, _custom: [*parts]


_ARCHIVING: Final = ("archived", "archivedAt")
_SCHEMAS: Final = "/crm-object-schemas/v3/schemas"
_OWNERS: Final = "/crm/v3/owners/"
_BY_TYPE: Final = frozenset(
    {"property_definitions", "property_groups", "pipelines", "pipeline_stages", "validation_rules"}
)
_PARTS: Final[Mapping[str, Callable[[Sequence[str], Mapping[str, str]], list[Part]]]] = {
    "property_definitions": _definitions,
    "property_groups": _groups,
    "pipelines": _pipelines,
    "pipeline_stages": _pipelines,
    "validation_rules": _rules,
    "object_schemas": _fixed(
        Part("", _SCHEMAS), Part("", _SCHEMAS, _ARCHIVED, spare=True, gone=True)
    ),
    "users": _fixed(Part("", "/settings/v3/users/", _MOST)),
    "roles": _fixed(Part("", "/settings/v3/users/roles")),
    "teams": _fixed(Part("", "/settings/v3/users/teams")),
    "owners": _fixed(
        Part("", _OWNERS, _MOST), Part("", _OWNERS, (*_MOST, *_ARCHIVED), spare=True, gone=True)
    ),
    "imports": _fixed(Part("", "/crm/v3/imports/", _MOST)),
}


def _id(row: Row, name: str = "id") -> str:
    if (id_ := text_in(row, name)) is None:
        raise Unavailable(f"HubSpot's answer is incomplete: a row of a list came without {name}")
    return id_


def _plain(_: Part, row: Row) -> Iterator[Found]:
    yield Found(record_id(_id(row)), row, tokens(row))


def _schema(_: Part, row: Row) -> Iterator[Found]:
    # Its properties are records of their own.
    id_ = text_in(row, "objectTypeId") or _id(row)
    yield Found(record_id(id_), row, tokens(row, ("properties",)))


def _named(part: Part, row: Row) -> Iterator[Found]:
    yield Found(record_id(part.of, _id(row, "name")), row, tokens(row, object=part.of))


def _pipeline(part: Part, row: Row) -> Iterator[Found]:
    yield Found(record_id(part.of, _id(row)), row, tokens(row, ("stages",), object=part.of))


def _stages(part: Part, row: Row) -> Iterator[Found]:
    pipeline = _id(row)
    # Where a whole pipeline is archived, so are its stages.
    over = {name: row[name] for name in _ARCHIVING if name in row} if _is_archived(row) else {}
    for told in parts_of(row, "stages"):
        stage = told | over
        id_ = record_id(part.of, pipeline, _id(stage))
        whose = record_id(part.of, pipeline)
        yield Found(id_, stage, tokens(stage, object=part.of, pipeline=whose))


def _is_archived(row: Row) -> bool:
    return value_in(row, "archived") is True


def _rule(part: Part, row: Row) -> Iterator[Found]:
    name = _id(row, "propertyName")
    for rule in parts_of(row, "propertyValidationRules"):
        id_ = record_id(part.of, name, _id(rule, "ruleType"))
        yield Found(id_, rule, tokens(rule, object=part.of, property=name))


def _import(_: Part, row: Row) -> Iterator[Found]:
    fields = tokens(row, ("metadata",)) | tokens(part_of(row, "metadata"))
    yield Found(record_id(_id(row)), row, fields)


_READ: Final[Mapping[str, Callable[[Part, Row], Iterator[Found]]]] = {
    "property_definitions": _named,
    "property_groups": _named,
    "pipelines": _pipeline,
    "pipeline_stages": _stages,
    "validation_rules": _rule,
    "object_schemas": _schema,
    "imports": _import,
}
