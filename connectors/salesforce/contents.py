"""Records by id: whole if they are live, a removal if they lie in the recycle bin."""

from collections.abc import Iterable, Sequence

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.ids import is_sound
from connectors.salesforce.people import People
from connectors.salesforce.readings import Row, Scribe, id_of, is_deleted
from connectors.salesforce.schema import Known
from crmtrail.model import Reading, Removal

_OF_THE_OBJECT = frozenset({"INVALID_TYPE", "INVALID_FIELD", "ENTITY_IS_DELETED"})
"""Refusals that a query would meet too."""


def look_up(
    client: Client, people: People, known: Known, ids: Sequence[str]
) -> dict[str, Reading | Removal]:
    """Return records as they are now, by id (18 characters); what nobody knows is missing."""
    rows = fetch(client, known, ids)
    scribe = Scribe(client.source, known, people, client.told_at)
    found: dict[str, Reading | Removal] = {
        reading.ref.id: reading for reading in scribe.readings(list(rows.values()))
    }
    missing = [id_ for id_ in ids if id_ not in rows] if known.keeps_bin else []
    for batch in soql.batches(missing, soql.IDS_A_QUERY):
        answer = client.query(soql.among(known.schema.object, known.narrow, batch))
        scribe = Scribe(client.source, known, people, client.told_at)
        removals = scribe.removals(answer.records)
        found |= {removal.ref.id: removal for removal in removals}
    return found


def fetch(
    client: Client, known: Known, ids: Sequence[str], fields: Sequence[str] | None = None
) -> dict[str, Row]:
    """Return live records by id (18 characters), at most 2,000; the others are missing.

    ``fields`` are all that are read, if not told.
    """
    path = f"composite/sobjects/{known.schema.object}"
    fields = known.wide if fields is None else fields

    def ask(wanted: Sequence[str]) -> list[dict[str, msgspec.Raw] | None]:
        order = msgspec.json.encode({"ids": wanted, "fields": soql.select(fields)})
        return client.ask(path, list[dict[str, msgspec.Raw] | None], order)

    try:
        answer = ask(ids)
    except Refusal as refusal:
        if refusal.is_absence and refusal.code not in _OF_THE_OBJECT:
            return _queried(client, known, ids, fields)
        sound = [id_ for id_ in ids if is_sound(id_)]
        if refusal.code != "MALFORMED_ID" or len(sound) == len(ids):
            raise
        # One impossible id makes Salesforce refuse them all.
        answer = ask(sound) if sound else []
    return _live(record for record in answer if record is not None)


def _queried(
    client: Client, known: Known, ids: Sequence[str], fields: Sequence[str]
) -> dict[str, Row]:
    """Return live records by id from queries, where collections cannot be retrieved."""
    found: dict[str, Row] = {}
    name = known.schema.object
    size = soql.room_for_ids(client.base_url, soql.among(name, fields, ()))
    for batch in soql.batches(ids, size):
        query = soql.among(name, fields, batch)
        found |= _live(client.query(query, deleted=False).records)
    return found


def _live(records: Iterable[Row]) -> dict[str, Row]:
    return {id_of(row): row for row in records if not is_deleted(row)}
