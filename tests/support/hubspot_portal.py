"""A sandbox HubSpot portal under test, driven by the unmodified official client and raw HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from hubspot import HubSpot

from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World

_PAUSE = 30


class PortalUnderTest:
    """A running portal with 200 records: 110 contacts, 30 companies, 40 deals and the rest."""

    def __init__(self, server: Server, wire: HubSpotWire) -> None:
        self.server = server
        self.world = server.world
        self.wire = wire
        self.people = wire.people()
        self.token = self.people["tokens"]["restorer"]
        client = HubSpot(access_token=self.token, host=server.url, retry=False)
        self.client = client
        self.objects = client.crm.objects.basic_api
        self.batches = client.crm.objects.batch_api
        self.searches = client.crm.objects.search_api
        self._opened = [self.objects, self.batches, self.searches]
        self._http = requests.Session()

    def api(self, found: Any) -> Any:
        """Keep an API object of the client, to close its connections at the end."""
        self._opened.append(found)
        return found

    def send(
        self, method: str, path: str, body: object = None, *, token: str | None = None, **more: Any
    ) -> requests.Response:
        """Send a raw request with a token, the restorer's if none is given."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        headers |= more.pop("headers", {})
        url = self.server.url + path
        return self._http.request(method, url, json=body, headers=headers, timeout=_PAUSE, **more)

    def post(self, path: str, body: object, **more: Any) -> requests.Response:
        return self.send("POST", f"/crm/v3/objects/{path}", body, **more)

    def get(self, path: str, **query: object) -> requests.Response:
        return self.send("GET", f"/crm/v3/objects/{path}", params=query)

    def act(self, verb: str, **order: Any) -> dict[str, Any]:
        """Let somebody act; ``by`` is the actor, a user if none is given."""
        by = order.pop("by", {"kind": "user", "name": "Maya Lindqvist"})
        with self.world.lock:
            return self.wire.act({"do": verb, "as": by, **order})

    def change(self, object_: str, id_: str, fields: dict[str, Any], **more: Any) -> None:
        self.act("update", object=object_, records=[{"id": id_, "fields": fields}], **more)

    def order_fault(self, **order: Any) -> None:
        with self.world.lock:
            self.world.faults.place(Fault.parse({"crm": "hubspot", **order}))

    def truth(self, object_: str, id_: str | None = None) -> list[dict[str, Any]]:
        with self.world.lock:
            return self.wire.truth(object_, id_)

    def ids(self, object_: str = "contacts", count: int = 100) -> list[str]:
        """Return the ids of the first records of an object."""
        return [each["id"] for each in self.truth(object_)][:count]

    def history(self, object_: str, id_: str, name: str) -> list[dict[str, Any]]:
        found = self.get(f"{object_}/{id_}", propertiesWithHistory=name).json()
        entries: list[dict[str, Any]] = found["propertiesWithHistory"][name]
        return entries

    def search(self, object_: str, *filters: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Search with all of these filters and return the answer."""
        body = {"filterGroups": [{"filters": list(filters)}], **more}
        reply = self.post(f"{object_}/search", body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def journal(self, since: int = 0) -> Sequence[dict[str, Any]]:
        with self.world.lock:
            return self.world.journalled(crm="hubspot", since=since)

    def close(self) -> None:
        self._http.close()
        for each in self._opened:
            each.api_client.rest_client.pool_manager.clear()


@contextmanager
def portal_under_test(*, records: int = 200, seed: int = 1) -> Iterator[PortalUnderTest]:
    """Run a portal of its own, with the search limit out of the way."""
    world = World(seed=seed)
    wire = HubSpotWire(world)
    world.db.execute("BEGIN")
    wire.create()
    wire.seed(records)
    world.db.execute("COMMIT")
    with Server(world, [wire]) as server:
        portal = PortalUnderTest(server, wire)
        portal.act("limits", search=None)
        try:
            yield portal
        finally:
            portal.close()
    world.db.close()
