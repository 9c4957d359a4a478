"""Which objects there are for an identity: lists, describes, and what the config asks for."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from connectors.salesforce import groups
from connectors.salesforce.client import Client
from connectors.salesforce.describing import Describing
from connectors.salesforce.discovery import Listing, definitions, hidden, listed
from connectors.salesforce.logs_reading import LINES
from connectors.salesforce.schema import Known
from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake
from crmtrail.model import Schema
from crmtrail.ports import Clock

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class NoObject(Mistake):
    """There is no such object, or this identity cannot see it."""


class Catalogue:
    """The objects of one org, as far as they were asked for."""

    def __init__(self, client: Client, settings: SourceConfig, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._listed: Sequence[str] = ()
        self._describing = Describing(client, clock, self._wanted)
        self._absent: dict[str, str] = {}

    @property
    def absent(self) -> Mapping[str, str]:
        """The objects that are asked for through a group and are not there, with the reason."""
        return MappingProxyType(self._absent)

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, sorted, or the members of a group.

        Raises:
            Mistake: there is no such group.
        """
        wanted = groups.group_of(group) if group else None
        if wanted and not wanted.ending:
            return wanted.members
        told = self._client.get("sobjects", Listing)
        if wanted is None:
            self._listed = listed(told)
            return self._listed
        more = sorted(one.name for one in told.sobjects if one.name.endswith(wanted.ending))
        return tuple(dict.fromkeys((*wanted.members, *more)))

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object as of now; none of one that only a group asks for.

        Raises:
            NoObject: there is no such object, or this identity cannot see it.
        """
        through = self.groups_naming(object_)
        try:
            known = self.described(object_)
        except NoObject:
            if not through:
                raise
            self._absent[object_] = groups.absent(object_, through)
            return Schema(self._client.source, object_, {})
        self._absent.pop(object_, None)
        return known.schema

    def known(self, object_: str) -> Known | None:
        """Return an object as it was described last; None: it was not. Sends no request."""
        return self._describing.known(object_)

    def met(self, object_: str) -> Known:
        """Return an object as it was described last, asking if it was not; raises like `schema`."""
        return self._describing.known(object_) or self.described(object_)

    def described(self, object_: str, *, anew: bool = False) -> Known:
        """Return an object as it is now; raises like `schema`.

        ``anew``: whatever was heard a moment ago.
        """
        look = self._describing.again if anew else self._describing.learn
        try:
            return look(named(object_))
        except Mistake:
            raise NoObject(
                f"{self._client.source} has no object {object_}, or the token cannot see it",
                hint="check `objects` of this source in the config",
            ) from None

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects, one line for each.

        Costs a request for five objects, and one for 25 describes.
        """
        told = []
        there: dict[str, Known] = {}
        for name in objects:
            if name == LINES:
                continue  # they are seen by whoever sees their files
            try:
                there[name] = self.described(name)
            except NoObject:
                if through := self.groups_naming(name):
                    told.append(groups.absent(name, through))
        for name, defined in definitions(self._client, list(there)).items():
            if unseen := hidden(defined, there[name].described):
                count = "1 field is" if len(unseen) == 1 else f"{len(unseen)} fields are"
                told.append(f"{name}: {count} hidden from this token: {', '.join(unseen)}")
        return told

    def groups_naming(self, object_: str) -> Sequence[groups.Group]:
        """Return the groups through which the config asks for an object that it does not name."""
        return groups.groups_of(self._settings.named, object_)

    def _wanted(self) -> Sequence[str]:
        """Return the objects that the config asks for, as far as they are known by now."""
        found = list(self._listed) if self._settings.everything else []
        for name in self._settings.named:
            group = groups.GROUPS.get(name[1:]) if name.startswith("@") else None
            found += group.members if group else [name]
        usable = (name for name in found if _NAME.fullmatch(name) and name != LINES)
        return list(dict.fromkeys(usable))


def named(object_: str) -> str:
    """Return the name of an object, checked.

    Raises:
        Mistake: no object is written like that.
    """
    if not _NAME.fullmatch(object_):
        raise Mistake(
            f"{object_!r} is no object name of Salesforce",
            hint="use the API name, such as Account or Invoice__c",
        )
    return object_
