"""Record the Salesforce tapes anew, against the sandbox CRM.

Run from the project root:

    PYTHONPATH=tests .venv/bin/python tests/cassettes/record_salesforce.py
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crmtrail.errors import CrmtrailError
from crmtrail.model import NULL, Answer, Mode, Reading, Ref, Removal, Write
from crmtrail.ports import Connector
from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.salesforce.wire import SalesforceWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World
from support.connector_rig import Run
from support.salesforce_tapes import NOON, OBJECT, TAPES, taped


def run_of(connector: Connector, position: str | None) -> Run:
    """Run to the end."""
    run = Run()
    cursor = connector.start(OBJECT, position, Mode.INCREMENTAL)
    while not run.pages or not run.pages[-1].done:
        run.pages.append(connector.page(OBJECT, cursor))
        cursor = run.position
    return run


def load(connector: Connector) -> Run:
    """Log in and load everything."""
    connector.identity()
    connector.objects()
    connector.schema(OBJECT)
    return run_of(connector, None)


def restore(
    connector: Connector, ids: Sequence[str]
) -> tuple[Sequence[Answer], Mapping[str, Reading | Removal]]:
    """Write three rows, of which one is refused, and read them back."""
    values = ({"UnitPrice": "1500.5"}, {"Quantity": NULL}, {"Discount": NULL})
    answers = connector.write(
        OBJECT,
        [
            Write(Ref("sf", OBJECT, id_), fields, f"step-{number}")
            for number, (id_, fields) in enumerate(zip(ids, values, strict=True))
        ],
    )
    return answers, connector.read(OBJECT, ids)


def troubles(connector: Connector) -> list[CrmtrailError]:
    """Ask for the same page until it comes, and return what came instead."""
    met: list[CrmtrailError] = []
    cursor = connector.start(OBJECT, None, Mode.INCREMENTAL)
    while True:
        try:
            connector.page(OBJECT, cursor)
        except CrmtrailError as error:
            met.append(error)
        else:
            return met


def record(tapes: Path) -> Sequence[str]:
    """Play the scenes in a small world whose clock stands still; return the tokens used."""
    world = World()
    world.clock.freeze(NOON)
    server = Server(world, [SalesforceWire(world)])
    server.control.reset(seed=1, size="tiny")
    with server:
        sandbox = Sandbox(server.url)
        tokens = sandbox.people("salesforce")["tokens"]
        with taped(tapes / "load.yaml", server.url, tokens["observer"]) as connector:
            loaded = load(connector)
        ids = loaded.ids()
        sandbox.turn(7200)
        _changes(sandbox, ids)
        with taped(tapes / "poll.yaml", server.url, tokens["observer"]) as connector:
            run_of(connector, loaded.position)
        with taped(tapes / "restore.yaml", server.url, tokens["restorer"]) as connector:
            restore(connector, ids[:3])
        for kind in ("unauthorized", "throttle", "unavailable"):
            retry_after = 7 if kind == "throttle" else None
            sandbox.fault(kind, crm="salesforce", path="query", retry_after=retry_after)
        with taped(tapes / "troubles.yaml", server.url, tokens["observer"]) as connector:
            connector.schema(OBJECT)
            troubles(connector)
    world.db.close()
    return tuple(tokens.values())


def _changes(sandbox: Sandbox, ids: list[str]) -> None:
    raised = [{"id": id_, "fields": {"Discount": 55.5}} for id_ in ids[:3]]
    order = {"object": OBJECT, "as": {"kind": "app"}}
    sandbox.act("salesforce", do="update", records=raised, **order)
    sandbox.act("salesforce", do="delete", ids=ids[-2:], object=OBJECT)
    sandbox.act("salesforce", do="purge", ids=ids[-1:], object=OBJECT)
    sandbox.turn(120)


if __name__ == "__main__":
    for old in TAPES.glob("*.yaml"):
        old.unlink()
    record(TAPES)
