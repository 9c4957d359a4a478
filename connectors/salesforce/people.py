"""Who is behind a user id: looked up once, in batches, for as long as names stay fresh."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.ids import to18
from crmtrail.errors import PermissionMissing
from crmtrail.model import Actor, ActorKind
from crmtrail.ports import Clock

_FRESH = timedelta(hours=1)
_HIDDEN = "this identity may not read users"
_SELECTS = (
    ("Id", "Name", "UserType", "Profile.Name"),
    ("Id", "Name"),
)
"""What to ask of a user; the second where the first names a field this identity cannot see."""

_KINDS = {
    "AutomatedProcess": ActorKind.AUTOMATION,
    "CloudIntegrationUser": ActorKind.SYSTEM,
    "LicenseManager": ActorKind.SYSTEM,
}
_APP_WORDS = ("api only", "integration")


class _Profile(msgspec.Struct, rename="pascal"):
    name: str | None = None


class User(msgspec.Struct, rename="pascal"):
    """The part of a user record that names an actor."""

    id: str
    name: str | None = None
    user_type: str | None = None
    profile: _Profile | None = None


def actor_of(user: User) -> Actor:
    """Return the actor a user record stands for.

    An integration user is told by its profile, the only mark the vendor gives it.
    """
    kind = _KINDS.get(user.user_type or "", ActorKind.USER)
    profile = (user.profile.name or "").lower() if user.profile else ""
    if kind is ActorKind.USER and any(word in profile for word in _APP_WORDS):
        return Actor(ActorKind.APP, id=user.id, name=user.name, via=user.name)
    return Actor(kind, id=user.id, name=user.name)


class People:
    """The users of one org, as far as they were met. An id costs a request once an hour at most."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, Actor] = {}
        self._since: datetime | None = None
        self._select = 0
        self._hidden = False

    def meet(self, ids: Iterable[str | None]) -> Mapping[str, Actor]:
        """Return the actors behind user ids, asking Salesforce for those not met before.

        An identity that may not read users is not asked about them again for an hour.
        """
        now = self._clock.now()
        if self._since is None or now - self._since > _FRESH:
            self._known.clear()
            self._since = now
            self._hidden = False
        wanted = {id_ for id_ in ids if id_} - self._known.keys()
        for batch in soql.batches(sorted(wanted), soql.IDS_A_QUERY):
            self._ask(batch)
        return self._known

    def _ask(self, ids: Iterable[str]) -> None:
        asked = sorted({full for id_ in ids if (full := to18(id_))})
        found: list[User] = []
        if asked and not self._hidden:
            try:
                found = self._users(asked)
            except (PermissionMissing, Refusal):
                self._hidden = True
        actors = {to18(user.id) or user.id: actor_of(user) for user in found}
        why = _HIDDEN if self._hidden else "Salesforce shows no user of this id"
        for id_ in ids:
            nobody = Actor(ActorKind.UNKNOWN, id=id_, why=why)
            self._known[id_] = actors.get(to18(id_) or id_, nobody)

    def _users(self, ids: Sequence[str]) -> list[User]:
        while True:
            query = soql.among("User", _SELECTS[self._select], ids)
            try:
                rows = self._client.query(query, deleted=False)
            except Refusal as refusal:
                if refusal.code == "INVALID_TYPE" or self._select == len(_SELECTS) - 1:
                    raise
                self._select += 1
                continue
            return [
                msgspec.json.decode(msgspec.json.encode(row), type=User) for row in rows.records
            ]
