"""A client of the control API, for tests, the demo and curious people. Standard library only."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


class Sandbox:
    """Control a running sandbox CRM over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def _call(self, method: str, path: str, order: object = None, **query: object) -> Any:
        suffix = "?" + urlencode({k: v for k, v in query.items() if v is not None}) if query else ""
        body = None if order is None else json.dumps(order).encode()
        request = Request(f"{self.url}/_sandbox/{path}{suffix}", body, method=method)  # noqa: S310 -- loopback
        try:
            with urlopen(request, timeout=300) as answer:  # noqa: S310 -- as above
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None

    def reset(self, *, seed: int = 1, size: str = "small", features: Sequence[str] = ()) -> None:
        """Empty the world and seed it anew, with optional features; see docs/sandbox.md."""
        order = {"seed": seed, "size": size, "features": list(features)}
        self._call("POST", "reset", order)

    def turn(self, seconds: float) -> str:
        """Turn the clock forward and return its time."""
        return str(self._call("POST", "clock", {"turn": seconds})["now"])

    def freeze(self, at: str) -> str:
        """Stop the clock at an ISO 8601 moment with offset and return its time."""
        return str(self._call("POST", "clock", {"freeze": at})["now"])

    def release(self) -> str:
        """Let the clock run again, from the moment it shows."""
        return str(self._call("POST", "clock", {"release": True})["now"])

    def act(self, crm: str, **order: object) -> dict[str, Any]:
        """Let somebody inside a CRM do something; see docs/sandbox.md for the orders."""
        done: dict[str, Any] = self._call("POST", "act", {"crm": crm, **order})
        return done

    def fault(self, kind: str, **order: object) -> None:
        """Order a fault."""
        self._call("POST", "faults", {"kind": kind, **order})

    def calm(self) -> None:
        """Cancel all faults."""
        self._call("DELETE", "faults")

    def journal(self, *, crm: str = "", since: int = 0, record: str = "") -> list[dict[str, Any]]:
        """Return the journal of the truth."""
        entries: list[dict[str, Any]] = self._call(
            "GET", "journal", crm=crm, since=since, record=record
        )
        return entries

    def requests(self, *, crm: str = "", since: int = 0) -> list[dict[str, Any]]:
        """Return the request log."""
        entries: list[dict[str, Any]] = self._call("GET", "requests", crm=crm, since=since)
        return entries

    def truth(self, crm: str, object_: str, record: str | None = None) -> list[dict[str, Any]]:
        """Return records as the CRM holds them now."""
        records: list[dict[str, Any]] = self._call(
            "GET", "truth", crm=crm, object=object_, id=record
        )
        return records

    def people(self, crm: str) -> dict[str, Any]:
        """Return the users, apps and tokens of a CRM."""
        people: dict[str, Any] = self._call("GET", "people")[crm]
        return people
