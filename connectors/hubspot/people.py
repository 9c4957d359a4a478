"""The names behind user and import ids, asked for only when a history first needs one."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.hubspot.client import Client
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Number, after_of
from crmtrail.errors import PermissionMissing, Unavailable
from crmtrail.ports import Clock

_REFRESH = timedelta(hours=1)
"""How soon an id still without a name makes us ask again."""


_TRIES = 3
"""How often to ask a HubSpot that fails."""


class People:
    """Names of users (owners, former owners, users) and of imports.

    A token that may not read them leaves ids without names; that is no error.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._users: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._imports: dict[str, str] = {}
        self._asked: dict[str, datetime] = {}
        self._failures: Counter[str] = Counter()

    def user(self, id_: str) -> str | None:
        """Return a user's name, else the e-mail address, or None."""
        if id_ not in self._users:
            self._ask("owners", self._fetch_owners)
        if id_ not in self._users:
            self._ask("former owners", self._fetch_former_owners)
        if id_ not in self._users:
            self._ask("users", self._fetch_users)
        return self._users.get(id_)

    def id_of(self, email: str) -> str | None:
        """Return the id of the user with an e-mail address, or None."""
        address = email.casefold()
        if address not in self._addresses:
            self._ask("owners", self._fetch_owners)
        if address not in self._addresses:
            self._ask("former owners", self._fetch_former_owners)
        if address not in self._addresses:
            self._ask("users", self._fetch_users)
        return self._addresses.get(address)

    def import_(self, id_: str) -> str | None:
        """Return an import's name, or None."""
        if id_ not in self._imports:
            self._ask("imports", self._fetch_imports)
        return self._imports.get(id_)

    def _ask(self, what: str, fetch: Callable[[], None]) -> None:
        """Fetch names, at most once an hour.

        A token without the scope, or a portal without the API, gives no names. Where HubSpot
        fails, names are worth a few tries, but no stopped sync.
        """
        now = self._clock.now()
        asked = self._asked.get(what)
        if asked is not None and now - asked < _REFRESH:
            return
        try:
            fetch()
        except (PermissionMissing, Absent, Refusal):
            pass
        except Unavailable:
            self._failures[what] += 1
            if self._failures[what] % _TRIES:
                raise
        self._asked[what] = now

    def _fetch_former_owners(self) -> None:
        self._fetch_owners(archived=True)

    def _fetch_owners(self, *, archived: bool = False) -> None:
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
            self._users.setdefault(str(id_), name)
        if id_ is not None and email:
            self._addresses.setdefault(email.casefold(), str(id_))
