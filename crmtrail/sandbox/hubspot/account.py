"""The account: details, usage, owners, users, teams, imports."""

import base64
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import security
from crmtrail.sandbox.hubspot.imports import Imports
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.objects import paging
from crmtrail.sandbox.hubspot.people import TEAMS
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import invalid, missing_scopes, not_found
from crmtrail.sandbox.hubspot.values import DAY, iso, millis, parse_moment

_OWNERS = 500
_USERS = 100


def details(portal: Portal, _: Call) -> Reply:
    """GET /account-info/details."""
    local = portal.world.clock.now().astimezone(ZoneInfo(portal.switches.time_zone))
    offset = local.isoformat()[-6:]
    ahead = local.utcoffset() or timedelta()
    return Reply.of(
        200,
        {
            "portalId": portal.people.portal,
            "accountType": portal.switches.account_type,
            "timeZone": portal.switches.time_zone,
            "companyCurrency": "USD",
            "additionalCurrencies": ["EUR", "GBP"],
            "utcOffset": offset,
            "utcOffsetMilliseconds": ahead // timedelta(milliseconds=1),
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        },
    )


def usage(portal: Portal, _: Call) -> Reply:
    """GET /account-info/api-usage/daily/private-apps; the day ends at the account's midnight."""
    now = portal.world.clock.now()
    local = now.astimezone(ZoneInfo(portal.switches.time_zone))
    # The day of the wall clock, not 24 hours: they differ when clocks are changed.
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
    found = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": portal.limits.daily or 625_000,
        "currentUsage": portal.limits.used_today,
        "collectedAt": iso(millis(now)),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(millis(midnight)),
    }
    return Reply.of(200, {"results": [found]})


def _page(call: Call, found: list[dict[str, Any]], most: int, default: int) -> Reply:
    """Return one page of a list; the cursor is opaque."""
    limit = call.whole("limit", default, most)
    after = call.request.one("after")
    try:
        start = int(base64.b64decode(after, validate=True)) if after else 0
    except ValueError:
        raise invalid("The after cursor is not valid") from None
    body: dict[str, Any] = {"results": found[start : start + limit]}
    if start + limit < len(found):
        cursor = base64.b64encode(str(start + limit).encode()).decode()
        body["paging"] = paging(call, cursor)
    return Reply.of(200, body)


def owners(portal: Portal, call: Call) -> Reply:
    """GET /owners."""
    archived, email = call.flag("archived"), call.request.one("email")
    found = [
        portal.people.owner(user)
        for user in portal.people.users()
        if bool(user["archived"]) == archived and email in (None, "", user["email"])
    ]
    return _page(call, found, _OWNERS, 100)


def one_owner(portal: Portal, call: Call) -> Reply:
    """GET /owners/{id}, by owner id or with idProperty=userId."""
    key = "id" if call.request.one("idProperty") == "userId" else "owner"
    for user in portal.people.users():
        if str(user[key]) == call.parts[0] and bool(user["archived"]) == call.flag("archived"):
            return Reply.of(200, portal.people.owner(user))
    raise not_found()


def users(portal: Portal, call: Call) -> Reply:
    """GET /settings/users: those who have not left."""
    found = [_user(user) for user in portal.people.users() if not user["archived"]]
    return _page(call, found, _USERS, _USERS)


def _user(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(user["id"]),
        "email": user["email"],
        "firstName": user["first"],
        "lastName": user["last"],
        "roleId": None if user["admin"] else "71204",
        "roleIds": [] if user["admin"] else ["71204"],
        "primaryTeamId": user["team"],
        "secondaryTeamIds": [],
        "superAdmin": bool(user["admin"]),
        "seatNames": ["Core"],
    }


def one_user(portal: Portal, call: Call) -> Reply:
    """GET /settings/users/{id}, by id or with idProperty=EMAIL."""
    key = "email" if call.request.one("idProperty") == "EMAIL" else "id"
    for user in portal.people.users():
        if str(user[key]) == call.parts[0] and not user["archived"]:
            return Reply.of(200, _user(user))
    raise not_found()


def roles(_: Portal, __: Call) -> Reply:
    """GET /settings/users/roles."""
    role = {"id": "71204", "name": "Sales", "requiresBillingWrite": False}
    return Reply.of(200, {"results": [role]})


def teams(portal: Portal, _: Call) -> Reply:
    """GET /settings/users/teams."""
    everyone = portal.people.users()
    results = [
        {
            "id": id_,
            "name": name,
            "userIds": [str(user["id"]) for user in everyone if user["team"] == id_],
            "secondaryUserIds": [],
        }
        for id_, name in TEAMS.items()
    ]
    return Reply.of(200, {"results": results})


def imports(portal: Portal, call: Call) -> Reply:
    """GET /imports, newest first."""
    return _page(call, Imports(portal.world).all(), 100, 100)


def one_import(portal: Portal, call: Call) -> Reply:
    """GET /imports/{id}."""
    for found in Imports(portal.world).all():
        if found["id"] == call.parts[0]:
            return Reply.of(200, found)
    raise not_found()


def import_errors(portal: Portal, call: Call) -> Reply:
    """GET /imports/{id}/errors: no row of an import ever failed here."""
    one_import(portal, call)
    return Reply.of(200, {"results": []})


def import_cancelled(portal: Portal, call: Call) -> Reply:
    """POST /imports/{id}/cancel: all imports are done already."""
    one_import(portal, call)
    raise invalid(f"Import {call.parts[0]} cannot be canceled: it is DONE")


def login_activity(portal: Portal, call: Call) -> Reply:
    """GET /account-info/activity/login: one sign-in of each user on each of the last 30 days."""
    user_id = call.request.one("userId")
    now = portal.store.now()
    found = []
    for back in range(30):
        for user in portal.people.users():
            if user["archived"] or user_id not in (None, "", str(user["id"])):
                continue
            at = (now // DAY - back) * DAY + (user["id"] % 540) * 60_000
            if at <= now:
                found.append(_login(user, at))
    found.sort(key=lambda each: each["loginAt"], reverse=True)
    return _page(call, found, 100, 50)


def _login(user: dict[str, Any], at: int) -> dict[str, Any]:
    return {
        "id": f"{at // 60_000}{user['id']}",
        "loginAt": iso(at),
        "userId": user["id"],
        "email": user["email"],
        "loginSucceeded": True,
        "ipAddress": f"203.0.113.{user['id'] % 250 + 1}",
        "location": "denver, united states",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
        "countryCode": "us",
        "regionCode": "co",
    }


def security_activity(portal: Portal, call: Call) -> Reply:
    """GET /account-info/activity/security, newest first."""
    return _page(call, security.events(portal, call), 100, 50)


def audit_logs(portal: Portal, call: Call) -> Reply:
    """GET /account-info/activity/audit-logs: Enterprise only; what users did, no field values."""
    if not portal.switches.enterprise:
        raise missing_scopes("account-info.security.read")
    emails = {str(user["id"]): user["email"] for user in portal.people.users()}
    wanted = call.request.one("actingUserId")
    since = _moment(call, "occurredAfter")
    until = _moment(call, "occurredBefore")
    found = []
    for entry in reversed(portal.world.journalled(crm="hubspot")):
        actor = entry["actor"]
        if actor["kind"] != "user" or wanted not in (None, "", actor["id"]):
            continue
        at = parse_moment(entry["at"]) or 0
        if at < since or (until and at > until):
            continue
        found.append(_audited(entry, emails.get(actor["id"])))
    return _page(call, found, 100, 100)


def _moment(call: Call, name: str) -> int:
    text = call.request.one(name)
    if not text:
        return 0
    found = parse_moment(text)
    if found is None:
        raise invalid(f"{name} must be a moment in ISO 8601, but was {text}")
    return found


def _audited(entry: dict[str, Any], email: str | None) -> dict[str, Any]:
    values = entry["op"] == "update"
    return {
        "id": f"audit-{entry['seq']}",
        "category": "PROPERTY_VALUE" if values else "CRM_OBJECT",
        "subCategory": object_type(entry["object"]).label,
        "action": entry["op"].upper(),
        "targetObjectId": entry["record"],
        "occurredAt": entry["at"].replace("+00:00", "Z"),
        "actingUser": {"userId": int(entry["actor"]["id"]), "userEmail": email},
    }
