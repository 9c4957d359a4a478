"""What a sweep over every live record makes a run do: read what moved, look for what is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from crmtrail.errors import Doubtful
from crmtrail.model import Loss, Page, Reading, Ref, Removal, unknown
from crmtrail.ports import Connector, Store

FEW: Final = 20
"""So many missing records are looked for without a question, whatever share of all they are."""

_UNTOLD: Final = unknown("the record is gone; the vendor does not say when, or by whom")


def with_content(connector: Connector, store: Store, page: Page) -> Page:
    """Return a page with what it left to be read.

    That is the content of records that it only sighted and that moved, and what became of stored
    members of a set of which it brought all that are live.
    """
    source, object_ = connector.source, page.object
    wanted = list(store.unread(source, object_, page.sightings)) if page.sightings else []
    if page.members:
        present = [one.ref.id for one in page.readings] + [one.ref.id for one in page.removals]
        wanted += store.others(source, object_, page.members, present)
    if not wanted:
        return page
    found: dict[str, Reading | Removal] = {}
    for start in range(0, len(wanted), connector.read_batch):
        ids = wanted[start : start + connector.read_batch]
        found |= connector.read(page.object, ids, trail=True)
    readings, removals = _apart(found)
    return replace(
        page,
        readings=(*page.readings, *readings),
        removals=(*page.removals, *removals),
    )


def begun(page: Page, cursor: str) -> Page:
    """Return what a last page brought, with the cursor that asked for it."""
    return replace(
        page,
        cursor=cursor,
        done=False,
        complete_to=None,
        watermark=None,
        expected=None,
        swept=None,
    )


def ended(page: Page) -> Page:
    """Return how a last page moves the position, without what it brought."""
    return replace(page, readings=(), removals=(), gaps=(), sightings=(), sighted_at=None)


def lost(connector: Connector, store: Store, page: Page, *, accept_loss: bool) -> Iterator[Page]:
    """Yield pages of what became of the records that a sweep did not show.

    Each is asked for by its id: that is the second source. Only what the vendor does not answer for
    then has vanished.

    Raises:
        Doubtful: most of the records are missing, and nobody said that this is so.
    """
    since = page.swept
    if since is None:
        return
    source, object_ = connector.source, page.object
    missing = store.count_unseen(source, object_, since)
    stored = store.standing(source, object_).records
    if missing > FEW and missing * 2 > stored and not accept_loss:
        raise Doubtful(
            f"{source}:{object_}: the vendor shows no trace of {missing} of {stored} records",
            hint="nothing was marked as gone; see whether the token lost rights, and if they are "
            f"truly gone run `crmtrail sync {source}:{object_} --reconcile --accept-loss`",
        )
    after = ""
    while ids := store.unseen(source, object_, since, after=after, limit=connector.read_batch):
        after = ids[-1]
        readings, removals = _apart(connector.read(object_, ids))
        told = {one.ref.id for one in readings} | {one.ref.id for one in removals}
        gone = [
            Removal(Ref(source, object_, id_), Loss.VANISHED, since, None, _UNTOLD)
            for id_ in ids
            if id_ not in told
        ]
        yield Page(object_, "", done=False, readings=readings, removals=(*removals, *gone))


def _apart(
    found: Mapping[str, Reading | Removal],
) -> tuple[tuple[Reading, ...], tuple[Removal, ...]]:
    return (
        tuple(one for one in found.values() if isinstance(one, Reading)),
        tuple(one for one in found.values() if isinstance(one, Removal)),
    )
