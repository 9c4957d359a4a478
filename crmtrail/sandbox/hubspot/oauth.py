"""OAuth apps: the token endpoint of 2026-03, and access tokens that end.

Each app of the portal can be reached both ways: by its private token, and as an OAuth app that was
installed once. The endpoints of v1 are not served.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.hubspot import developer
from crmtrail.sandbox.hubspot.people import App
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, unauthenticated
from crmtrail.sandbox.hubspot.values import millis
from crmtrail.sandbox.world import World

PREFIX = "/oauth/"
_ROOT = "/oauth/2026-03/token"
_PRIVATE = "/oauth/v2/private-apps/get/access-token-info"
_SECONDS = 1_800
_MAX = {"X-HubSpot-RateLimit-Max": "110"}

_TABLES = (
    """CREATE TABLE IF NOT EXISTS hs_oauth(
      app TEXT PRIMARY KEY, client_id TEXT NOT NULL, secret TEXT NOT NULL, refresh TEXT NOT NULL,
      trouble TEXT NOT NULL DEFAULT '', rotates INTEGER NOT NULL DEFAULT 0,
      seconds INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS hs_access(
      token TEXT PRIMARY KEY, app TEXT NOT NULL, ends INTEGER NOT NULL)""",
)
_TROUBLES = {
    "BAD_REFRESH_TOKEN": ("invalid_grant", "refresh token is invalid, expired or revoked"),
    "BAD_HUB": ("invalid_grant", "the hub of this token does not exist"),
    "BAD_CLIENT_ID": ("invalid_client", "missing or unknown client id"),
    "BAD_CLIENT_SECRET": ("invalid_client", "missing or invalid client secret"),
    "BAD_GRANT_TYPE": ("unsupported_grant_type", "unsupported grant type"),
}


def create(world: World, apps: list[dict[str, Any]]) -> None:
    """Create the tables, and install each app, deterministically from the seed."""
    for table in _TABLES:
        world.db.execute(table)
    rng = world.random("hubspot/oauth")
    for app in apps:
        made = [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(3)]
        row = (app["id"], made[0], made[1], f"na1-{made[2]}", _SECONDS)
        world.db.execute(
            "INSERT INTO hs_oauth(app, client_id, secret, refresh, seconds) VALUES (?,?,?,?,?)", row
        )


def installed(portal: Portal) -> dict[str, dict[str, str]]:
    """Return what each role logs in with."""
    roles = {app["id"]: app["role"] for app in portal.people.apps()}
    rows = portal.world.db.execute("SELECT app, client_id, secret, refresh FROM hs_oauth")
    return {
        roles[row["app"]]: {
            "client_id": row["client_id"],
            "client_secret": row["secret"],
            "refresh_token": row["refresh"],
        }
        for row in rows
    }


def app_of(portal: Portal, token: str) -> App | None:
    """Return the app behind an access token; None: it was never given out.

    Raises:
        Refusal: 401, it has ended.
    """
    row = portal.world.db.execute("SELECT * FROM hs_access WHERE token=?", (token,)).fetchone()
    if row is None:
        return None
    if row["ends"] <= portal.store.now():
        raise Refusal(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call "
                      "expired")  # fmt: skip
    private = next(app for app in portal.people.apps() if app["id"] == row["app"])
    app = portal.people.app_of(private["token"])
    return None if app is None else replace(app, oauth=True)


def headers(app: App, told: Mapping[str, str]) -> dict[str, str]:
    """Return the rate-limit headers for an app: OAuth apps have no daily limit."""
    if not app.oauth:
        return dict(told)
    kept = {name: value for name, value in told.items() if "-Daily" not in name}
    return kept | _MAX if "X-HubSpot-RateLimit-Max" in kept else kept


def answer(portal: Portal, request: Request) -> Reply:
    """Answer a request to the token endpoint, or what a private app asks about its own token."""
    if (request.method, request.path) == ("POST", _PRIVATE):
        return _private(portal, request)
    act = _PATHS.get(request.path)
    if act is None or request.method != "POST":
        status = 404 if act is None else 405
        return Reply.of(status, {"status": "error", "message": "resource not found"})
    kind = request.headers.get("content-type", "")
    if not kind.startswith("application/x-www-form-urlencoded"):
        return Reply.of(415, {"status": "error", "message": f"Unsupported media type {kind}"})
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return act(portal, form)


def turn(portal: Portal, order: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out ``{"do": "oauth", "role": ..., ...}``: for one role, or for all.

    ``expire`` ends every access token now. ``trouble`` is the status that each login is refused
    with, empty for none. ``rotate``: each login gives a new refresh token. ``expires_in`` is the
    life of access tokens in seconds.

    Raises:
        ValueError: an unknown key, role or trouble.
    """
    known = {"do", "as", "crm", "role", "expire", "trouble", "rotate", "expires_in"}
    if strange := set(order) - known:
        raise ValueError(f"unknown key {min(strange)!r} for oauth; known are {sorted(known)}")
    apps = [a["id"] for a in portal.people.apps() if order.get("role") in (None, a["role"])]
    if not apps:
        raise ValueError(f"no app has the role {order['role']!r}")
    if order.get("trouble") and order["trouble"] not in _TROUBLES:
        raise ValueError(f"unknown trouble; known are {', '.join(sorted(_TROUBLES))}")
    columns = {"trouble": "trouble", "rotate": "rotates", "expires_in": "seconds"}
    db = portal.world.db
    for app in apps:
        for key, column in columns.items():
            if key in order:
                db.execute(f"UPDATE hs_oauth SET {column}=? WHERE app=?", (order[key], app))
        if order.get("expire"):
            db.execute("UPDATE hs_access SET ends=0 WHERE app=?", (app,))
    return {"ids": []}


def _token(portal: Portal, form: Mapping[str, str]) -> Reply:
    db = portal.world.db
    client = db.execute(
        "SELECT * FROM hs_oauth WHERE client_id=?", (form.get("client_id"),)
    ).fetchone()
    if client is None:
        return _trouble("BAD_CLIENT_ID")
    if form.get("client_secret") != client["secret"]:
        return _trouble("BAD_CLIENT_SECRET")
    if form.get("grant_type") == "client_credentials":
        return developer.grant(portal, client["app"], form)
    return _refreshed(portal, client, form)


def _refreshed(portal: Portal, client: Any, form: Mapping[str, str]) -> Reply:
    db = portal.world.db
    if form.get("grant_type") != "refresh_token":
        return _trouble("BAD_GRANT_TYPE")
    if client["trouble"]:
        return _trouble(client["trouble"])
    if form.get("refresh_token") != client["refresh"]:
        return _trouble("BAD_REFRESH_TOKEN")
    access, refresh = f"CM{uuid4().hex}", client["refresh"]
    if client["rotates"]:
        refresh = f"na1-{uuid4()}"
        db.execute("UPDATE hs_oauth SET refresh=? WHERE app=?", (refresh, client["app"]))
    ends = millis(portal.world.clock.now()) + client["seconds"] * 1000
    db.execute("INSERT INTO hs_access VALUES (?,?,?)", (access, client["app"], ends))
    return Reply.of(
        200,
        {
            "token_type": "bearer",
            "token_use": "access_token",
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": client["seconds"],
            "hub_id": portal.people.portal,
        },
    )


def _introspect(portal: Portal, form: Mapping[str, str]) -> Reply:
    token = form.get("token", "")
    try:
        app = app_of(portal, token)
    except Refusal:
        app = None
    if app is None:
        return Reply.of(200, {"active": False})
    user = portal.people.users()[0]
    return Reply.of(
        200,
        {
            "active": True,
            "token_use": "access_token",
            "hub_id": portal.people.portal,
            "app_id": int(app.id),
            "user_id": user["id"],
            "scopes": sorted(app.scopes),
        },
    )


def _private(portal: Portal, request: Request) -> Reply:
    """POST {"tokenKey": ...}: which app and portal the token of a private app belongs to."""
    try:
        told = json.loads(request.body)
    except ValueError:
        told = None
    token = told.get("tokenKey") if isinstance(told, dict) else None
    app = portal.people.app_of(token) if isinstance(token, str) else None
    if app is None:
        return unauthenticated().reply()
    user = portal.people.users()[0]["id"]
    found = {"userId": user, "hubId": portal.people.portal, "appId": int(app.id)}
    return Reply.of(200, found | {"scopes": sorted(app.scopes)})


def _trouble(status: str) -> Reply:
    error, words = _TROUBLES[status]
    told = {"error": error, "error_description": words, "status": status, "message": words}
    return Reply.of(400, told)


_PATHS: dict[str, Callable[[Portal, Mapping[str, str]], Reply]] = {
    _ROOT: _token,
    f"{_ROOT}/introspect": _introspect,
}
