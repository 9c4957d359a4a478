"""Three ways of reading the same pages, taking turns."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from hubspot import HubSpot
from measuring import CRMS, Place, Spent, say, warm_app
from simple_salesforce.api import Salesforce

from connectors.hubspot import connect as connect_hubspot
from connectors.hubspot.client import LIST_LIMIT
from connectors.hubspot.lookup import requested
from connectors.salesforce import connect as connect_salesforce
from connectors.salesforce import soql
from crmtrail.app import App, Target
from crmtrail.clock import SystemClock
from crmtrail.config import SourceConfig
from crmtrail.model import Mode, Schema
from crmtrail.ports import Connector
from scheduler.runner import Run


def compare(place: Place) -> dict[str, Any]:
    """Let three ways of reading the same pages take turns.

    ``fetched``: with the vendor's client, decoded and thrown away. ``read``: with our connector,
    made into readings and thrown away. ``kept``: a sync, with store, ledger and detection.
    """
    crm = CRMS[place.crm]
    settings = place.config().sources[crm.source]
    say(f"{crm.name}: side by side")
    turns: dict[str, list[Spent]] = {"fetched": [], "read": [], "kept": []}
    blocks: list[int] = []
    with (
        warm_app(place) as app,
        closing(_connector(place, settings)) as connector,
        _fetching(place, crm.sample, connector.schema(crm.sample)) as fetch,
    ):
        read = _reading(connector, crm.sample)
        ways: dict[str, Callable[[], int]] = {
            "fetched": lambda: fetch(crm.block),
            "read": lambda: read(crm.block),
            "kept": lambda: _sync(app, Target(crm.source, crm.sample), crm.block),
        }
        for number in range(crm.blocks):
            order = tuple(ways) if number % 2 else tuple(reversed(ways))
            done = {way: _timed(turns[way], ways[way]) for way in order}
            if blocks and set(done.values()) != {blocks[0]}:
                break  # the last block is short
            blocks.append(done["kept"])
    return {
        "records": sum(blocks),
        "blocks": len(blocks),
        **{
            way: [(each.seconds, each.cpu) for each in spent[: len(blocks)]]
            for way, spent in turns.items()
        },
    }


def _timed(turns: list[Spent], go: Callable[[], int]) -> int:
    spent = Spent()
    with spent.spending():
        records = go()
    turns.append(spent)
    return records


def _sync(app: App, target: Target, pages: int) -> int:
    """Sync so many pages of records and stop, as if Ctrl-C was pressed."""
    filled = 0

    def count(run: Run) -> None:
        nonlocal filled
        filled += run.kept.read > 0

    run = app.sync(target, Mode.INCREMENTAL, progress=count, stopping=lambda: filled >= pages)
    return run.kept.read


def _reading(connector: Connector, object_: str) -> Callable[[int], int]:
    cursor = connector.start(object_, None, Mode.INCREMENTAL)

    def read(pages: int) -> int:
        nonlocal cursor
        records = filled = 0
        while filled < pages:
            page = connector.page(object_, cursor)
            records += len(page.readings)
            filled += bool(page.readings)
            if page.done:
                break
            cursor = page.cursor
        return records

    return read


@contextmanager
def _fetching(place: Place, object_: str, schema: Schema) -> Iterator[Callable[[int], int]]:
    """Give a function that fetches so many pages with nothing but the vendor's client."""
    token = place.tokens["restorer"]
    if place.crm == "salesforce":
        with _salesforce(place.url, token) as client:
            yield _fetch_salesforce(client, object_, sorted(schema.fields))
    else:
        api = HubSpot(access_token=token, host=place.url, retry=False).crm.objects.basic_api
        api.api_client.set_default_header("Accept-Encoding", "gzip")
        try:
            yield _fetch_hubspot(api, object_, requested(tuple(schema.fields)))
        finally:
            api.api_client.rest_client.pool_manager.clear()


@contextmanager
def _salesforce(url: str, token: str) -> Iterator[Salesforce]:
    client = Salesforce(session_id=token, instance_url=url)
    client.base_url = f"{url}/services/data/v62.0/"
    try:
        yield client
    finally:
        client.session.close()


def _fetch_salesforce(
    client: Salesforce, object_: str, names: Sequence[str]
) -> Callable[[int], int]:
    last = ""
    columns = list(dict.fromkeys(("Id", "SystemModstamp", "LastModifiedById", *names)))

    def fetch(pages: int) -> int:
        nonlocal last
        records = 0
        for _ in range(pages):
            answer = client.query(soql.by_id(object_, columns, last), include_deleted=True)
            records += len(answer["records"])
            if not answer["records"]:
                break
            last = answer["records"][-1]["Id"]
        return records

    return fetch


def _fetch_hubspot(api: Any, object_: str, names: Sequence[str]) -> Callable[[int], int]:
    after: dict[str, str] = {}

    def fetch(pages: int) -> int:
        nonlocal after
        records = 0
        for _ in range(pages):
            answer = api.get_page(
                object_, limit=LIST_LIMIT, properties=[",".join(names)], _preload_content=False,
                **after,
            )  # fmt: skip
            page = json.loads(answer.data)
            records += len(page["results"])
            if "paging" not in page:
                break
            after = {"after": page["paging"]["next"]["after"]}
        return records

    return fetch


def _connector(place: Place, settings: SourceConfig) -> Connector:
    """Return the bare connector: nobody holds it back, and nothing is repeated."""
    auth = settings.auth.model_validate({"token": place.tokens["restorer"]})
    connect = connect_salesforce if place.crm == "salesforce" else connect_hubspot
    return connect(CRMS[place.crm].source, settings, auth, SystemClock())
