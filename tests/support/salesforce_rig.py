"""The sandbox's Salesforce org as a rig."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from connectors.salesforce import connect
from crmtrail.model import Token
from crmtrail.ports import Connector
from crmtrail.sandbox.salesforce.wire import SalesforceWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World
from support.connector_rig import Someone, Values
from support.sandbox_rig import SandboxRig, WallClock

_STAMPS = {
    "IsDeleted",
    "MasterRecordId",
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "BillingAddress",
    "ShippingAddress",
    "deleted",
}


class SalesforceRig(SandboxRig):
    """Accounts: long texts, addresses, a restricted picklist, formulas."""

    crm: ClassVar[str] = "salesforce"
    write_paths: ClassVar[str] = r"composite/sobjects$"
    source = "sf"
    object = "Account"
    text_field = "Site"
    other_field = "SicDesc"
    choice_field = "CustomerPriority__c"
    bad_choice = "Enormous"
    locked_field = "MasterRecordId"
    unknown_id = "001000000000ZZZAA2"
    many = 430  # with its two long texts, an account page holds 200
    quiet_calls = 2
    keeps_history = False
    names_deleter = True

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        by_name = {user["name"]: user["id"] for user in self.people["users"]}
        self.user = Someone(by_name["Priya Raman"], "Priya Raman")
        self.app = Someone(by_name["Marketing Sync"], "Marketing Sync")

    def connect(self) -> Connector:
        return self.connect_as("observer")

    def connect_restorer(self) -> Connector:
        return self.connect_as("restorer")

    def connect_as(self, role: str, **more: Any) -> Connector:
        settings = self.settings(role, **more)
        return connect(self.source, settings, settings.auth, WallClock())

    def record(self, number: int) -> Values:
        return {"Name": f"Made {number}"}

    def restore(self, ids: Sequence[str]) -> None:
        self._act("undelete", [{"id": id_} for id_ in ids], self.user)

    def hide(self, field_name: str) -> None:
        self.act(do="hide_field", object=self.object, field=field_name)

    def act(self, **order: Any) -> None:
        self.sandbox.act(self.crm, **order)

    def truth(self) -> Mapping[str, Mapping[str, Token]]:
        return {
            record["Id"]: {
                name: json.dumps(value, ensure_ascii=False)
                for name, value in record.items()
                if name not in _STAMPS and not isinstance(value, float)
            }
            for record in self.sandbox.truth(self.crm, self.object)
            if not record["deleted"]
        }


@contextmanager
def salesforce_rig() -> Iterator[SalesforceRig]:
    """Start a small org on a free port."""
    world = World()
    server = Server(world, [SalesforceWire(world)])
    server.control.reset(seed=7, size="tiny")
    with server:
        yield SalesforceRig(server)
    world.db.close()
