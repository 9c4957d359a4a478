"""Which records are of persons, what they are found by, and what outlives their erasure. Pure.

Vendor facts: a Salesforce Account is a person's where ``IsPersonAccount`` is true (Object
Reference, Account); its address is then in ``PersonEmail``. HubSpot keeps further addresses of a
contact in ``hs_additional_emails``, with semicolons between them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from crmtrail.keys_config import PrivacyConfig
from crmtrail.model import Token, Tokens
from snapshot.vault import Sealing

_TRUE: Final[Token] = "true"


class SealMode(StrEnum):
    """What is sealed: the records of persons, all records, or none."""

    PERSONAL = "personal"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Person:
    """How an object holds persons: in every record, or in those whose field ``when`` is true.

    ``emails`` are the fields that hold their addresses, several with semicolons between them.
    """

    emails: tuple[str, ...] = ()
    when: str = ""


SALESFORCE: Final[Mapping[str, Person]] = {
    "contact": Person(("Email",)),
    "lead": Person(("Email",)),
    "user": Person(("Email",)),
    "account": Person(("PersonEmail",), when="IsPersonAccount"),
}
HUBSPOT: Final[Mapping[str, Person]] = {
    "contacts": Person(("email", "hs_additional_emails")),
    "subscription_statuses": Person(("subscriberIdString",)),
    "users": Person(("email",)),
    "owners": Person(("email",)),
    "login_activity": Person(("email",)),
}

_ANY: Final = ""
_NOBODY: Final[Mapping[str, Person]] = {}
_BY_KIND: Final[Mapping[str, Mapping[str, Person]]] = {
    "salesforce": SALESFORCE,
    "hubspot": HUBSPOT,
    _ANY: {**SALESFORCE, **HUBSPOT},
}


@dataclass(frozen=True, slots=True)
class Subjects:
    """What is personal. Without anything given, the objects of persons of both vendors.

    ``kinds`` gives the connector kind of a source; one that is not in it is of any kind.
    ``further`` and ``keeps`` are by source and object; the names of objects are in small letters.
    """

    mode: SealMode = SealMode.PERSONAL
    kinds: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[tuple[str, str], Person] = field(default_factory=dict)
    keeps: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, mode: str, privacy: PrivacyConfig, kinds: Mapping[str, str]) -> "Subjects":
        """Return what a configuration says.

        Args:
            mode: ``keys.seal``.
            privacy: ``privacy``.
            kinds: the connector kind of each source.
        """
        further = {
            (source, name.casefold()): Person(one.email)
            for source, objects in privacy.subjects.items()
            for name, one in objects.items()
        }
        keeps = {_split(ref): frozenset(fields) for ref, fields in privacy.keep.items()}
        return cls(SealMode(mode), dict(kinds), further, keeps)

    def sealing(self, source: str, object_: str, fields: Tokens) -> Sealing:
        """Return how a record is sealed.

        Args:
            source: its source.
            object_: its object.
            fields: its tokens as far as they are known, not only those that changed: of an object
                with persons and others the record itself tells which it is.
        """
        if self.mode is SealMode.NONE:
            return Sealing.NONE
        if self.is_person(source, object_, fields):
            return Sealing.RECORD
        return Sealing.OBJECT if self.mode is SealMode.ALL else Sealing.NONE

    def is_person(self, source: str, object_: str, fields: Tokens) -> bool:
        """Return whether a record is of a person."""
        for one in self._persons(source, object_):
            if not one.when or fields.get(one.when) == _TRUE:
                return True
        return False

    def may_hold_persons(self, source: str, object_: str) -> bool:
        """Return whether any record of an object can be of a person."""
        return bool(self._persons(source, object_))

    def kept(self, source: str, object_: str) -> frozenset[str]:
        """Return the fields that outlive the erasure of their person."""
        return self.keeps.get((source, object_.casefold()), frozenset())

    def addresses(self, source: str, object_: str, fields: Tokens) -> Sequence[str]:
        """Return the e-mail addresses of a person's record, each once; none of another record."""
        if not self.is_person(source, object_, fields):
            return ()
        names = (name for one in self._persons(source, object_) for name in one.emails)
        tokens = (fields[name] for name in dict.fromkeys(names) if name in fields)
        return tuple(dict.fromkeys(_addresses(tokens)))

    def email_fields(self, source: str, object_: str) -> frozenset[str]:
        """Return the fields that may hold addresses, so that others need not be looked at."""
        return frozenset(name for one in self._persons(source, object_) for name in one.emails)

    def _persons(self, source: str, object_: str) -> Sequence[Person]:
        name = object_.casefold()
        built_in = _BY_KIND.get(self.kinds.get(source, _ANY), _NOBODY).get(name)
        further = self.further.get((source, name)) if self.further else None
        return tuple(one for one in (built_in, further) if one is not None)


def _split(ref: str) -> tuple[str, str]:
    source, _, name = ref.partition(":")
    return source, name.casefold()


def _addresses(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.startswith('"'):
            parts: str = json.loads(token)
            yield from (one.strip() for one in parts.split(";") if one.strip())
