"""Which objects a portal has, how each is named, and what of them a token does not see."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from connectors.hubspot.client import Client
from connectors.hubspot.object_names import (
    STANDARD,
    ends_of,
    is_custom,
    pair_name,
    standard_name,
)
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import CustomSchema, Property
from crmtrail.errors import CrmtrailError, PermissionMissing

Wanted: TypeAlias = Literal["*"] | Sequence[str]

SENSITIVITIES: Final = ("sensitive", "highly_sensitive")
"""Properties so marked are listed only where they are asked for, and need scopes of their own."""

CARRIERS: Final[Mapping[str, tuple[str, ...]]] = {
    "approvals": ("quotes", "line_items", "deals"),
    "discounts": ("quotes", "line_items", "deals", "discounts"),
}
"""Groups of records: approvals and discounts are properties of these, with their history."""

_NOT_EVERYWHERE: Final = frozenset({"discounts"})
"""Objects that many portals do not have: a group has them where the token may read them."""

_UNREADABLE = (PermissionMissing, Absent, Refusal)


class Discovery:
    """Asks a portal for its objects.

    Args:
        client: the API.
        wanted: the objects of the config.
    """

    def __init__(self, client: Client, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._all = "*" in wanted
        self._refused: dict[str, str] = {}
        self._customs: Sequence[CustomSchema] | None = None
        self._schemas_refused = ""

    def readable(self) -> list[str]:
        """Return all objects the token may list: a small request for each, one for custom ones."""
        self._refused = {}
        names = [one.name for one in STANDARD if self._may_list(one.name)]
        return names + [name for name in self._custom_names() if name not in names]

    def carriers(self, group: str) -> list[str]:
        """Return the objects whose records carry what a group is about."""
        return [
            name for name in CARRIERS[group] if name not in _NOT_EVERYWHERE or self._may_list(name)
        ]

    def kept(self) -> list[str]:
        """Return the objects whose records the source keeps, by the config."""
        if self._all:
            return self.readable()
        found: list[str] = []
        for one in self._wanted:
            if one[:1] == "@":
                found += self.carriers(one[1:]) if one[1:] in CARRIERS else ()
            elif ends_of(one) is None:
                found.append(self.named(one))
        return list(dict.fromkeys(found))

    def asks_for(self, pair: str) -> bool:
        """Whether the config names a pair itself, rather than through a group."""
        return any(ends_of(one) and self.named(one) == pair for one in self._wanted)

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept; an unknown one as it is spelled.

        Custom objects cost a request, once.
        """
        if (standard := standard_name(object_)) is not None:
            return standard
        if (ends := ends_of(object_)) is not None:
            return pair_name(self.named(ends[0]), self.named(ends[1]))
        return self._custom_name(object_) if is_custom(object_) else object_

    def hidden(self, objects: Sequence[str], *, sensitive: bool = False) -> Iterator[str]:
        """Yield a line for each object of which the token does not see everything.

        ``sensitive``: what is marked so is synced where it can be read. Costs two requests for
        each object, and one more for each level at which it has sensitive properties.
        """
        if self._all:
            yield from (f"{name} is left out: {why}" for name, why in self._refused.items() if why)
            if absent := [name for name, why in self._refused.items() if not why]:
                yield f"this portal, or its edition, does not have {', '.join(absent)}"
        if self._all and self._schemas_refused:
            yield f"custom objects are left out: {self._schemas_refused}"
        for object_ in objects:
            if standard_name(object_) or is_custom(object_):
                yield from self._sensitive(object_, kept=sensitive)

    def sensitive(self, object_: str) -> Sequence[Property]:
        """Return the sensitive properties of which the token gets the values, if any."""
        found: list[Property] = []
        for listed in self._marked(object_).values():
            unread = self._without_value(object_, [one.name for one in listed])
            found += [one for one in listed if one.name not in unread]
        return found

    def _sensitive(self, object_: str, *, kept: bool) -> Iterator[str]:
        """Yield what is sensitive of an object; ``kept``: what can be read is synced."""
        for level, listed in self._marked(object_).items():
            names = [one.name for one in listed]
            unread = self._without_value(object_, names)
            if unread:
                yield (
                    f"{object_}: {_counted(unread, 'hidden from this token')} ({level}: it takes "
                    f"the scope crm.objects.{object_}.{level}.read.v2)"
                )
            read = [name for name in names if name not in unread]
            if read and not kept:
                yield (
                    f"{object_}: {_counted(read, 'left out')} ({level}: `sensitive: true` in the "
                    "config keeps it)"
                )

    def _marked(self, object_: str) -> Mapping[str, Sequence[Property]]:
        """Return the sensitive properties by level; the token may not even know of them."""
        found: dict[str, Sequence[Property]] = {}
        for level in SENSITIVITIES:
            try:
                listed = self._client.sensitive(object_, level).results
            except _UNREADABLE:
                continue
            if marked := [one for one in listed if one.data_sensitivity == level]:
                found[level] = marked
        return found

    def _without_value(self, object_: str, names: Sequence[str]) -> Sequence[str]:
        """Return which properties a record does not show: a key that is absent is not readable."""
        if not names:
            return ()
        try:
            told = self._client.listing(object_, names=names, limit=1).content.results
        except _UNREADABLE:
            return names
        return [name for name in names if not any(name in one.properties for one in told)]

    def _may_list(self, object_: str) -> bool:
        try:
            self._client.listing(object_, limit=1)
        except _UNREADABLE as error:
            self._refused[object_] = _why(error)
            return False
        return True

    def _custom(self) -> Sequence[CustomSchema]:
        """Return the custom objects; none where the token may not list them."""
        try:
            self._customs = self._client.schemas().results
            self._schemas_refused = ""
        except _UNREADABLE as error:
            self._customs, self._schemas_refused = (), _why(error)
        return self._customs

    def _custom_names(self) -> list[str]:
        return [name for one in self._custom() if (name := _own_name(one))]

    def _custom_name(self, spelled: str) -> str:
        for one in self._custom() if self._customs is None else self._customs:
            own = _own_name(one)
            spellings = (own, one.object_type_id, f"p_{one.name}")
            if own and spelled.casefold() in {each.casefold() for each in spellings if each}:
                return own
        return spelled


def _counted(names: Sequence[str], what: str) -> str:
    count = "1 property is" if len(names) == 1 else f"{len(names)} properties are"
    return f"{count} {what}: {', '.join(names)}"


def _own_name(one: CustomSchema) -> str:
    return one.fully_qualified_name or one.object_type_id or one.name or ""


def _why(error: CrmtrailError) -> str:
    """Return why a token may not read something; empty where it is not there at all."""
    if isinstance(error, PermissionMissing):
        return f"the token may not read it ({error})"
    return ""
