"""Tokens of an app itself, not of a portal it is installed in: they open the webhooks journal."""

import json
from collections.abc import Mapping
from uuid import uuid4

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.people import App
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.refusal import Refusal
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_developer_token(
  token TEXT PRIMARY KEY, app TEXT NOT NULL, scopes TEXT NOT NULL, ends INTEGER NOT NULL)
"""
SCOPES = frozenset(
    f"developer.webhooks_journal.{right}"
    for right in (
        "read",
        "subscriptions.read",
        "subscriptions.write",
        "snapshots.read",
        "snapshots.write",
    )
)
_SECONDS = 1_800


def create(world: World) -> None:
    """Create the table."""
    world.db.execute(TABLE)


def grant(portal: Portal, app: str, form: Mapping[str, str]) -> Reply:
    """Answer ``grant_type=client_credentials``: a token with the scopes asked for."""
    asked = set(form.get("scope", "").split())
    if not asked or asked - SCOPES:
        words = f"scope must be of {' '.join(sorted(SCOPES))}"
        told = {"error": "invalid_scope", "error_description": words, "status": "BAD_SCOPE"}
        return Reply.of(400, told | {"message": words})
    token = f"CC{uuid4().hex}"
    ends = portal.store.now() + _SECONDS * 1000
    portal.world.db.execute(
        "INSERT INTO hs_developer_token VALUES (?,?,?,?)",
        (token, app, json.dumps(sorted(asked)), ends),
    )
    body = {"token_type": "bearer", "token_use": "client_credentials", "access_token": token}
    return Reply.of(200, body | {"expires_in": _SECONDS, "scopes": sorted(asked)})


def app_of(portal: Portal, token: str) -> App | None:
    """Return the app behind such a token; None: it was never given out.

    Raises:
        Refusal: 401, it has ended.
    """
    row = portal.world.db.execute(
        "SELECT * FROM hs_developer_token WHERE token=?", (token,)
    ).fetchone()
    if row is None:
        return None
    if row["ends"] <= portal.store.now():
        message = "The OAuth token used to make this call expired"
        raise Refusal(401, "EXPIRED_AUTHENTICATION", message)
    names = {app["id"]: app["name"] for app in portal.people.apps()}
    return App(row["app"], names[row["app"]], frozenset(json.loads(row["scopes"])), oauth=True)
