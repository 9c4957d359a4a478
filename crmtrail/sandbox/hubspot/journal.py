"""The webhooks journal over HTTP. It counts toward no limit."""

import json
from typing import Any
from urllib.parse import urlencode

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.hubspot.feed import ACTIONS, Feed, Page
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import invalid, missing_scopes, not_found
from crmtrail.sandbox.hubspot.values import iso
from crmtrail.sandbox.hubspot.webhooks import signature

FILES = "/webhooks-journal/files/"
"""Where the files of pages are read, without a token: the address itself is the key."""

_SCOPE = "developer.webhooks_journal"
_FILE_LASTS = 3_600_000  # milliseconds
_MOST_PAGES = 100
_SORTS = {
    "OBJECT": {*ACTIONS.values()} - {"GDPR_DELETE"},
    "ASSOCIATION": {"ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"},
    "GDPR_PRIVACY_DELETION": {"GDPR_DELETE"},
}


def _may(call: Call, right: str) -> None:
    if f"{_SCOPE}.{right}" not in call.app.scopes:
        raise missing_scopes(f"{_SCOPE}.{right}")


def subscribe(portal: Portal, call: Call) -> Reply:
    """POST /webhooks-journal/subscriptions."""
    _may(call, "subscriptions.write")
    body = call.body()
    sort, actions = body.get("subscriptionType"), body.get("actions")
    if sort not in _SORTS:
        raise invalid(f"subscriptionType must be one of {list(_SORTS)}, but was {sort}")
    if not isinstance(actions, list) or not actions or set(actions) - _SORTS[sort]:
        raise invalid(f"actions of {sort} must be of {sorted(_SORTS[sort])}, but were {actions}")
    if body.get("portalId") != portal.people.portal:
        raise invalid(f"The app is not installed in portal {body.get('portalId')}")
    kind = object_type(str(body.get("objectTypeId", "")))
    known = ("properties", "objectIds", "associatedObjectTypeIds")
    lists = {key: body[key] for key in known if key in body}
    doc = {
        "subscriptionType": sort,
        "portalId": portal.people.portal,
        "objectTypeId": kind.type_id,
        "actions": actions,
        **lists,
    }
    return Reply.of(200, portal.feed.subscribe(call.app.id, doc))


def subscriptions(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/subscriptions."""
    _may(call, "subscriptions.read")
    return Reply.of(200, {"results": portal.feed.subscriptions(call.app.id)})


def one_subscription(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/subscriptions/{id}."""
    _may(call, "subscriptions.read")
    found = portal.feed.subscriptions(call.app.id, _number(call.parts[0]))
    if not found:
        raise not_found()
    return Reply.of(200, found[0])


def unsubscribe(portal: Portal, call: Call) -> Reply:
    """DELETE /webhooks-journal/subscriptions/{id}."""
    _may(call, "subscriptions.write")
    if not portal.feed.unsubscribe(call.app.id, _number(call.parts[0])):
        raise not_found()
    return Reply(204)


def unsubscribe_portal(portal: Portal, call: Call) -> Reply:
    """DELETE /webhooks-journal/subscriptions/portals/{portalId}."""
    _may(call, "subscriptions.write")
    if call.parts[0] != str(portal.people.portal):
        raise not_found()
    portal.feed.unsubscribe(call.app.id)
    return Reply(204)


def _number(text: str) -> int:
    if not text.isdigit():
        raise invalid(f"{text} is not a valid number")
    return int(text)


def _shown(portal: Portal, call: Call, page: Page) -> dict[str, Any]:
    """Return where a page is read, for an hour."""
    until = portal.feed.now() + _FILE_LASTS
    host = call.request.headers.get("host", "api.hubapi.com")
    query = urlencode({"expires": until, "signature": _seal(portal, page.offset, str(until))})
    url = f"http://{host}{FILES}{page.offset}?{query}"
    return {"url": url, "expiresAt": iso(until), "currentOffset": page.offset}


def _seal(portal: Portal, offset: str, until: str) -> str:
    secret = f"{portal.people.portal}/{portal.world.seed}"
    return signature(secret, "GET", FILES + offset, b"", until)


def _one(portal: Portal, call: Call, pages: list[Page]) -> Reply:
    return Reply.of(200, _shown(portal, call, pages[0])) if pages else Reply(204)


def _several(portal: Portal, call: Call, pages: list[Page]) -> Reply:
    if not pages:
        return Reply(204)
    now = iso(portal.feed.now())
    results = [_shown(portal, call, page) for page in pages]
    body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    return Reply.of(200, body)


def _after(feed: Feed, call: Call) -> int:
    """Return the place of an offset.

    Raises:
        Refusal: 404, it never was or is older than three days.
    """
    page = feed.page(call.parts[0], call.app.id)
    if page is None:
        raise not_found()
    return page.seq


def _count(text: str) -> int:
    count = _number(text)
    if not 1 <= count <= _MOST_PAGES:
        raise invalid(f"count must be between 1 and {_MOST_PAGES}, but was {count}")
    return count


def earliest(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/earliest: 204 when there is nothing."""
    _may(call, "read")
    return _one(portal, call, portal.feed.pages(call.app.id))


def latest(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/latest."""
    _may(call, "read")
    return _one(portal, call, portal.feed.latest(call.app.id))


def following(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/offset/{offset}/next."""
    _may(call, "read")
    return _one(portal, call, portal.feed.pages(call.app.id, _after(portal.feed, call)))


def batch_earliest(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/batch/earliest/{count}."""
    _may(call, "read")
    pages = portal.feed.pages(call.app.id, count=_count(call.parts[0]))
    return _several(portal, call, pages)


def batch_latest(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/batch/latest/{count}."""
    _may(call, "read")
    return _several(portal, call, portal.feed.latest(call.app.id, _count(call.parts[0])))


def batch_following(portal: Portal, call: Call) -> Reply:
    """GET /webhooks-journal/journal/batch/{offset}/next/{count}."""
    _may(call, "read")
    after, count = _after(portal.feed, call), _count(call.parts[1])
    return _several(portal, call, portal.feed.pages(call.app.id, after, count))


def batch_read(portal: Portal, call: Call) -> Reply:
    """POST /webhooks-journal/journal/batch/read, by offsets."""
    _may(call, "read")
    wanted = call.body().get("inputs")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= _MOST_PAGES:
        raise invalid(f"inputs must be a list of 1 to {_MOST_PAGES} offsets")
    found = [portal.feed.page(str(offset), call.app.id) for offset in wanted]
    return _several(portal, call, [page for page in found if page is not None])


def file(portal: Portal, request: Request) -> Reply:
    """GET the file of a page: no token, but an address that holds for an hour."""
    offset = request.path.removeprefix(FILES)
    until = request.one("expires") or ""
    right = request.one("signature") == _seal(portal, offset, until)
    page = portal.feed.page(offset)
    if not right or page is None or int(until) < portal.feed.now():
        return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", _XML)
    return Reply.of(200, json.loads(page.body))


_XML = {"Content-Type": "application/xml"}
