"""From a page's bytes to readings, the one place that knows how crmtrail wants them.

It does what the Salesforce connector does with a query's answer, without the HTTP around it: every
value stays the exact text the vendor sent, and the bookkeeping is set apart.
"""

from datetime import datetime
from functools import cache
from typing import Final

import msgspec
from shape import BOOKKEEPING

from crmtrail.model import Actor, ActorKind, Page, Reading, Ref, moment
from crmtrail.slices import Slices

SOURCE: Final = "sf"
_UNTOLD: Final = (*BOOKKEEPING, "attributes")
_READ: Final = (*BOOKKEEPING, "Id", "CreatedDate", "CreatedById")


class _Answer(msgspec.Struct):
    records: list[dict[str, msgspec.Raw]]


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def page_of(body: bytes, *, object_: str, cursor: str, done: bool, read_at: datetime) -> Page:
    """Return the page that a connector would have made of an answer."""
    readings = [_reading(row, object_, read_at) for row in _ANSWER.decode(body).records]
    return Page(
        object=object_,
        cursor=cursor,
        done=done,
        readings=readings,
        complete_to=read_at if done else None,
        watermark=read_at if done else None,
    )


def _reading(row: dict[str, msgspec.Raw], object_: str, read_at: datetime) -> Reading:
    tokens = {name: str(row[name], "utf-8") for name in _READ}
    for name in _UNTOLD:
        row.pop(name, None)
    return Reading(
        ref=Ref(SOURCE, object_, tokens["Id"][1:-1]),
        fields=Slices(row),
        stamps={name: tokens[name] for name in BOOKKEEPING},
        modified_at=moment(tokens["SystemModstamp"][1:-1]),
        edited_at=moment(tokens["LastModifiedDate"][1:-1]),
        read_at=read_at,
        actor=_user(tokens["LastModifiedById"][1:-1]),
        created_at=moment(tokens["CreatedDate"][1:-1]),
        creator=_user(tokens["CreatedById"][1:-1]),
    )


@cache
def _user(id_: str) -> Actor:
    return Actor(ActorKind.USER, id_, f"User {id_[-6:-3]}")
