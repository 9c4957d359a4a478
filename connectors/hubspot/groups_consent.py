"""Subscription statuses of all contacts, by snapshot: HubSpot keeps no history of them.

HubSpot names a subscriber by the e-mail address, so contacts are read for their addresses first.
A poll reads the statuses of contacts that moved since; FULL and RECONCILE read those of all. The
record's id is ``CONTACT.SUBSCRIPTION``: addresses stand in no id, and in a URL only where HubSpot
lets this token ask for one contact at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

import msgspec

from connectors.hubspot.client import Client, Told
from connectors.hubspot.groups_cursor import ConsentCursor, kept_in, place, text_of
from connectors.hubspot.groups_kinds import CONSENT, KINDS
from connectors.hubspot.groups_rows import moment_in, parts_of, picked, text_in, tokens
from connectors.hubspot.readings import plain
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Row, Thing, milliseconds, moment_of
from crmtrail.errors import PermissionMissing
from crmtrail.model import NULL, Actor, ActorKind, Mode, Page, Reading, Ref, unknown

BATCH: Final = 100
"""Contacts of one page, and addresses of one batch read."""

ALONE: Final = 10
"""Contacts of one page where each status is a request of its own."""

LAG: Final = timedelta(seconds=60)
"""The search index lags a few moments (fact sheet, section 13)."""

_MOST: Final = 10_000
"""Results of a search beyond which all contacts are listed instead."""

_CONTACTS: Final = "contacts"
_MOVED: Final = "lastmodifieddate"
_PATH: Final = "/communication-preferences/v4/statuses"
_CHANNEL: Final = (("channel", "EMAIL"),)

_UNSAID: Final = {"legalBasis": NULL, "legalBasisExplanation": NULL}
"""A status is told whole: where it was set without a legal basis, HubSpot leaves that out."""

Addresses = Mapping[str, str]
"""E-mail address by contact."""


class Consent:
    """Reads the statuses of one page of contacts at a time.

    Args:
        client: the API.
        source: the source's name.
    """

    def __init__(self, client: Client, source: str) -> None:
        self._client = client
        self._source = source
        self._alone = False

    def start(self, position: str | None, mode: Mode) -> str:
        """Return the cursor of a walk's first page; one that broke off goes on."""
        kept = kept_in(position, ConsentCursor)
        if position is not None and kept is None and mode is not Mode.FULL:
            return position  # `page` says what is wrong with it
        mark = kept.mark if kept else None
        if kept is None or mode is Mode.FULL:
            return text_of(ConsentCursor("all", mark=mark))
        whole = mode is Mode.RECONCILE or mark is None
        if kept.consent == "all" or (kept.consent == "some" and not whole):
            return text_of(kept)
        return text_of(ConsentCursor("all" if whole else "some", mark=mark))

    def page(self, cursor: str) -> Page:
        """Return the statuses of the next contacts: two requests as a rule.

        Raises:
            PermissionMissing, Absent: HubSpot does not give them out.
            CursorLost: the cursor is none of ours.
        """
        at = place(cursor, ConsentCursor)
        if at.consent == "rest":
            return Page(CONSENT, cursor, done=True)
        if at.consent == "all":
            told = self._client.listing(
                _CONTACTS, after=at.after, names=("email",), limit=self._size
            )
            return self._page(at, told.content.results, told.content.after, told.at)
        found = self._client.search(_CONTACTS, self._moved(at))
        if found.content.total > _MOST - BATCH:
            return Page(CONSENT, text_of(ConsentCursor("all", mark=at.mark)), done=False)
        return self._page(at, found.content.results, found.content.after, found.at)

    def read(self, ids: Sequence[str]) -> Mapping[str, Reading]:
        """Return statuses as they are now, by the id asked for; two requests as a rule."""
        contacts = sorted({id_.partition(".")[0] for id_ in ids} - {""})
        if not contacts:
            return {}
        told = self._client.batch(_CONTACTS, contacts, names=("email",))
        found = self._statuses(_addresses(told.content.results))
        wanted = frozenset(ids)
        return {one.ref.id: one for one in found if one.ref.id in wanted}

    @property
    def _size(self) -> int:
        return ALONE if self._alone else BATCH

    def _moved(self, at: ConsentCursor) -> dict[str, object]:
        since = (at.mark or 0) - LAG // timedelta(milliseconds=1)
        moved = {"propertyName": _MOVED, "operator": "GTE", "value": str(since)}
        body: dict[str, object] = {
            "filterGroups": [{"filters": [moved]}],
            "sorts": [{"propertyName": _MOVED, "direction": "ASCENDING"}],
            "properties": ["email"],
            "limit": self._size,
        }
        return body | ({"after": at.after} if at.after is not None else {})

    def _page(
        self, at: ConsentCursor, contacts: Sequence[Thing], after: str | None, told_at: datetime
    ) -> Page:
        began = at.began if at.began is not None else milliseconds(told_at)
        readings = self._statuses(_addresses(contacts))
        page = Page(CONSENT, "", done=False, readings=readings)
        if after is not None and after != at.after:
            following = msgspec.structs.replace(at, after=after, began=began)
            return replace(page, cursor=text_of(following))
        mark = moment_of(began)
        return replace(
            page,
            cursor=text_of(ConsentCursor("rest", mark=began)),
            done=True,
            complete_to=mark,
            watermark=mark,
            swept=mark if at.consent == "all" else None,
        )

    # --- statuses ----------------------------------------------------------------------------

    def _statuses(self, addresses: Addresses) -> list[Reading]:
        """Return all statuses of some contacts; one HubSpot does not answer for is not told."""
        contact_of = {address.casefold(): id_ for id_, address in addresses.items()}
        found: list[Reading] = []
        for told in self._told(list(addresses.values())):
            for row in told.content:
                contact = contact_of.get((text_in(row, "subscriberIdString") or "").casefold())
                if contact is not None:
                    found.extend(self._reading(contact, row, told.at))
        return found

    def _told(self, addresses: Sequence[str]) -> Iterator[Told[list[Row]]]:
        if not addresses:
            return
        if not self._alone:
            try:
                yield self._together(addresses)
            except PermissionMissing:
                # The scope for batches is one of its own.
                yield from self._each(addresses)
                self._alone = True
            except Refusal:
                if len(addresses) == 1:
                    return  # HubSpot takes it for no address: it has no statuses then
                half = len(addresses) // 2
                yield from self._told(addresses[:half])
                yield from self._told(addresses[half:])
        else:
            yield from self._each(addresses)

    def _together(self, addresses: Sequence[str]) -> Told[list[Row]]:
        body = {"inputs": list(addresses)}
        told = self._client.rows(f"{_PATH}/batch/read", _CHANNEL, body=body)
        return Told([one for row in told.content.results for one in _flat(row)], told.at)

    def _each(self, addresses: Sequence[str]) -> Iterator[Told[list[Row]]]:
        for address in addresses:
            try:
                told = self._client.rows(f"{_PATH}/{quote(address, safe='')}", _CHANNEL)
            except (Absent, Refusal):
                continue
            yield Told(told.content.results, told.at)

    def _reading(self, contact: str, row: Row, read_at: datetime) -> Iterator[Reading]:
        subscription = text_in(row, "subscriptionId")
        if subscription is None:
            return
        kind = KINDS[CONSENT]
        at = moment_in(row, "timestamp")
        actor = _actor(row)
        yield Reading(
            ref=Ref(self._source, CONSENT, f"{contact}.{subscription}"),
            fields=_UNSAID | tokens(row, kind.stamps, contact=contact),
            stamps=picked(row, kind.stamps),
            modified_at=at or read_at,
            edited_at=at or read_at,
            read_at=max(read_at, at) if at else read_at,
            actor=actor,
            created_at=at,
            creator=actor,
        )


def _addresses(contacts: Sequence[Thing]) -> Addresses:
    found = {str(one.id): plain(one.properties.get("email")) for one in contacts}
    return {id_: address for id_, address in found.items() if address}


def _flat(row: Row) -> Sequence[Row]:
    """Return the statuses in one result of a batch: listed under the subscriber, or itself one."""
    if "statuses" not in row:
        return (row,)
    whose = {name: row[name] for name in ("subscriberIdString",) if name in row}
    return [whose | one for one in parts_of(row, "statuses")]


def _actor(row: Row) -> Actor:
    source = text_in(row, "source")
    if source is None:
        return unknown("HubSpot does not say who set a subscription status, or how")
    why = "HubSpot tells through what a subscription status was set, not by whom"
    return Actor(ActorKind.UNKNOWN, via=source, why=why)
