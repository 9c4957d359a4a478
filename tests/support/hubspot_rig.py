"""The sandbox's HubSpot portal as a rig."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from connectors.hubspot import connect
from crmtrail.auth_config import RefreshTokenAuth
from crmtrail.model import Token, token_of
from crmtrail.ports import Connector
from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World
from support.connector_rig import Someone, Values
from support.sandbox_rig import SandboxRig, WallClock

_UNSURE = {"hs_object_id", "lastmodifieddate", "tax_number"}
"""Bookkeeping is no field; ``tax_number`` is sensitive, so the token cannot see it."""


class HubSpotRig(SandboxRig):
    """Contacts, which have most of HubSpot's peculiarities."""

    crm: ClassVar[str] = "hubspot"
    write_paths: ClassVar[str] = "batch/update"
    source = "hs"
    object = "contacts"
    text_field = "jobtitle"
    other_field = "message"
    choice_field = "hs_lead_status"
    bad_choice = "NO_SUCH_STATUS"
    locked_field = "num_notes"
    unknown_id = "99999999999"
    many = 230
    quiet_calls = 2
    keeps_history = True
    names_deleter = False

    def __init__(self, server: Server, api_version: str = "", *, oauth: bool = False) -> None:
        super().__init__(server)
        self.api_version = api_version
        self.oauth = oauth
        if oauth:
            told = self.people["oauth"].values()
            self.secrets = [one[key] for one in told for key in ("client_secret", "refresh_token")]
        user = self.people["users"][1]
        app = self.people["apps"][3]
        self.user = Someone(user["id"], user["name"])
        self.app = Someone(app["id"], app["name"])
        self._made = 0

    def connect(self) -> Connector:
        return self._connect("observer")

    def connect_restorer(self) -> Connector:
        return self._connect("restorer")

    def record(self, number: int) -> Values:
        self._made += 1
        return {"email": f"made-{self._made}@fernhill.example", "lastname": f"Made {number}"}

    def hide(self, field_name: str) -> None:
        self.sandbox.act(
            "hubspot",
            do="property",
            object=self.object,
            name=field_name,
            change={"archived": True},
            **{"as": {"kind": "user", "id": self.user.id}},
        )

    def truth(self) -> Mapping[str, Mapping[str, Token]]:
        records = self.sandbox.truth("hubspot", self.object)
        return {
            record["id"]: {self.text_field: "null", self.other_field: "null"}
            | {
                name: token_of(value or None)
                for name, value in record["properties"].items()
                if name not in _UNSURE
            }
            for record in records
            if not record["deleted"]
        }

    def _connect(self, role: str) -> Connector:
        settings = self.settings(role, api_version=self.api_version)
        if self.oauth:
            auth = RefreshTokenAuth(method="refresh_token", **self.people["oauth"][role])
            settings = settings.model_copy(update={"auth": auth})
        return connect(self.source, settings, settings.auth, WallClock())


@contextmanager
def hubspot_rig(api_version: str = "", *, oauth: bool = False) -> Iterator[HubSpotRig]:
    """Start a small portal on a free port."""
    world = World()
    server = Server(world, [HubSpotWire(world)])
    server.control.reset(seed=7, size="tiny")
    with server:
        yield HubSpotRig(server, api_version, oauth=oauth)
    world.db.close()
