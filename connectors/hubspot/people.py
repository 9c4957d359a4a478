"""The names behind user and import ids, asked for only when a history first needs one."""

from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.hubspot.client import Client
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Number, after_of
from crmtrail.errors import PermissionMissing
from crmtrail.ports import Clock

_REFRESH = timedelta(hours=1)
"""How soon an id still without a name makes us ask again."""


class People:
    """Names of users (owners, former owners, users) and of imports.

    A token that may not read them leaves ids without names; that is no error.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._users: dict[str, str] = {}
        self._imports: dict[str, str] = {}
        self._asked: dict[str, datetime] = {}

    def user(self, id_: str) -> str | None:
        """Return a user's name, else the e-mail address, or None."""
        if id_ not in self._users and self._due("owners"):
            self._owners(archived=True)
            self._owners(archived=False)
        if id_ not in self._users and self._due("users"):
            self._allowed(self._fetch_users)
        return self._users.get(id_)

    def import_(self, id_: str) -> str | None:
        """Return an import's name, or None."""
        if id_ not in self._imports and self._due("imports"):
            self._allowed(self._fetch_imports)
        return self._imports.get(id_)

    def _due(self, what: str) -> bool:
        now = self._clock.now()
        asked = self._asked.get(what)
        if asked is not None and now - asked < _REFRESH:
            return False
        self._asked[what] = now
        return True

    def _owners(self, *, archived: bool) -> None:
        self._allowed(lambda: self._fetch_owners(archived=archived))

    def _fetch_owners(self, *, archived: bool) -> None:
        after: str | None = None
        while True:
            page = self._client.owners(after, archived=archived)
            for one in page.results:
                id_ = one.user_id or one.user_id_including_inactive
                self._name(id_, one.first_name, one.last_name, one.email)
            if (after := after_of(page.paging)) is None:
                return

    def _fetch_users(self) -> None:
        after: str | None = None
        while True:
            page = self._client.users(after)
            for one in page.results:
                self._name(one.id, one.first_name, one.last_name, one.email)
            if (after := after_of(page.paging)) is None:
                return

    def _fetch_imports(self) -> None:
        after: str | None = None
        while True:
            page = self._client.imports(after)
            self._imports |= {str(one.id): one.import_name or "" for one in page.results}
            if (after := after_of(page.paging)) is None:
                return

    def _name(
        self, id_: Number | None, first: str | None, last: str | None, email: str | None
    ) -> None:
        name = " ".join(part for part in (first, last) if part) or email
        if id_ is not None and name:
            self._users[str(id_)] = name

    @staticmethod
    def _allowed(fetch: Callable[[], None]) -> None:
        """Run a fetch; a token without the scope, or a portal without the API, gives no names."""
        try:
            fetch()
        except (PermissionMissing, Absent, Refusal):
            return
