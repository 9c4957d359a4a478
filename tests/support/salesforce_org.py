"""A sandbox Salesforce org as tests drive it: the unmodified client, and raw HTTP beside it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from simple_salesforce.api import Salesforce

from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server
from support.sandbox import salesforce_client

DATA = "/services/data/v60.0"


def soql(*parts: str) -> str:
    return " ".join(parts)


@dataclass(frozen=True)
class Org:
    server: Server
    control: Sandbox
    tokens: Mapping[str, str]
    observer: Salesforce
    restorer: Salesforce
    http: requests.Session

    def raw(self, method: str, path: str, *, role: str = "restorer", **more: Any) -> Any:
        """Send a request below the API version, with a role's token; no client in between."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} | more.pop("headers", {})
        url = self.server.url + (path if path.startswith("/services") else DATA + path)
        return self.http.request(method, url, headers=headers, timeout=30, **more)

    def rows(self, statement: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.observer.query_all(statement, include_deleted=deleted)[
            "records"
        ]
        return found

    def ids(self, object_: str, count: int) -> list[str]:
        return [
            row["Id"] for row in self.rows(soql("SELECT Id FROM", object_, "LIMIT", str(count)))
        ]

    def one(self, object_: str, where: str = "") -> dict[str, Any]:
        condition = ("WHERE", where) if where else ()
        (row,) = self.rows(soql("SELECT FIELDS(ALL) FROM", object_, *condition, "LIMIT 1"))
        return row

    def act(self, do: str, object_: str | None = None, **order: Any) -> list[str]:
        who = {"as": order.pop("by")} if "by" in order else {}
        named = {} if object_ is None else {"object": object_}
        done: list[str] = self.control.act("salesforce", do=do, **named, **who, **order)["ids"]
        return done

    def truth(self, object_: str, id_: str) -> dict[str, Any]:
        (record,) = self.control.truth("salesforce", object_, id_)
        return record

    def journal(self, record: str) -> list[dict[str, Any]]:
        return self.control.journal(crm="salesforce", record=record)


@contextmanager
def salesforce_org(server: Server, control: Sandbox) -> Iterator[Org]:
    """Open the org of a running sandbox with both of its roles."""
    tokens = control.people("salesforce")["tokens"]
    with (
        salesforce_client(server, tokens["observer"]) as observer,
        salesforce_client(server, tokens["restorer"]) as restorer,
        requests.Session() as http,
    ):
        yield Org(server, control, tokens, observer, restorer, http)
