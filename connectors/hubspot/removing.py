"""Archiving records: into HubSpot's recycle bin, out of which only HubSpot's own UI brings them.

HubSpot passes over ids that it does not know without a word, and an id that was merged away stands
for the survivor. So every record is looked at before, and looked for in the bin after.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from connectors.hubspot.client import Client
from connectors.hubspot.halving import Halving, Input, Word, failures, unjudged
from connectors.hubspot.object_names import standard_name
from connectors.hubspot.posts import Posts
from connectors.hubspot.readings import BIN_KEEPS
from connectors.hubspot.words import advice
from crmtrail.errors import Ambiguous
from crmtrail.model import Answer, Verdict, Write

_GONE: Final = "OBJECT_NOT_FOUND"
_BIN: Final = f"it lies in HubSpot's recycle bin for {BIN_KEEPS.days} days"


def remove(client: Client, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
    """Move at most 100 records to the recycle bin; see the bin for the proof.

    Raises:
        Throttled: nothing was sent.
    """
    ids = list(dict.fromkeys(write.ref.id for write in writes))
    live = _live(client, object_, ids)
    halving = Halving()
    inputs = [Input(w.key, w.ref.id, {"id": w.ref.id}) for w in writes if w.ref.id in live]
    with suppress(Ambiguous):  # the bin tells what became of it
        halving.send(_each_once(inputs), partial(_archived, Posts(client), object_), unjudged)
    binned = _binned(client, object_, ids)
    return [_answer(object_, write, live, binned, halving) for write in writes]


def _archived(posts: Posts, object_: str, inputs: Sequence[Input]) -> Word:
    told = posts.archive(object_, [one.body for one in inputs])
    return Word({one.key: None for one in inputs}, failures(inputs, told.errors or ()))


def _live(client: Client, object_: str, ids: Sequence[str]) -> set[str]:
    """Return the records that live under their own ids."""
    told = client.batch(object_, ids).content if ids else None
    found = {str(one.id) for one in told.results if not one.archived} if told else set()
    return found & set(ids)


def _binned(client: Client, object_: str, ids: Sequence[str]) -> set[str]:
    told = client.batch(object_, ids, archived=True).content if ids else None
    things = told.results if told else ()
    return {str(one.id) for one in things if one.archived or one.archived_at}


def _answer(
    object_: str, write: Write, live: set[str], binned: set[str], halving: Halving
) -> Answer:
    if write.ref.id in binned:
        went = "; its line items went with it" if standard_name(object_) == "quotes" else ""
        said = f"{_BIN}{went}" if write.ref.id in live else f"it was archived already; {_BIN}"
        return Answer(write.key, Verdict.ACCEPTED, message=said)
    if write.ref.id not in live:
        message = "HubSpot has no live record of this id"
        return Answer(write.key, Verdict.REFUSED, _GONE, message, advice(_GONE))
    told = halving.answers.get(write.key)
    if told is not None:
        return told
    message = "the record does not lie in the recycle bin"
    return Answer(write.key, Verdict.UNKNOWN, "", message, "look at it, then apply again")


def _each_once(inputs: Sequence[Input]) -> list[Input]:
    return list({one.id: one for one in inputs}.values())
