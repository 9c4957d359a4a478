"""Whom a token stands for."""

import msgspec

from connectors.salesforce import soap
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.ids import to18
from connectors.salesforce.login import LoginRefused
from connectors.salesforce.readings import text_of
from crmtrail.errors import Mistake, PermissionMissing, PersonNeeded, Unavailable
from crmtrail.model import Identity


class _UserInfo(msgspec.Struct):
    """The part of OAuth userinfo that says who we are."""

    organization_id: str | None = None
    user_id: str | None = None
    name: str | None = None


def identity_of(client: Client) -> Identity:
    """Return the org and the user the token stands for.

    A token without the scope for that, or an address that does not serve it, still tells its
    org; the user is then left empty. What is not told at all is empty: nothing rests on it.

    Raises:
        CredentialsRefused: Salesforce refuses the token.
    """
    try:
        info = client.who(_UserInfo)
    except LoginRefused:
        raise
    except (PersonNeeded, Mistake, Unavailable):
        info = _UserInfo()
    account = info.organization_id or _organization(client)
    user = info.user_id or ""
    return Identity(
        account=to18(account) or account,
        user=to18(user) or user,
        name=info.name or "",
        server_time=client.told_at if client.heard else None,
        barred="" if client.takes_soap else f"{soap.NOT_OPAQUE}: {soap.MAKE_OPAQUE}",
    )


def _organization(client: Client) -> str:
    """Return the org's id from its own record; empty where the token may not read that."""
    try:
        rows = client.query("SELECT Id, Name FROM Organization LIMIT 1", deleted=False)
    except (PermissionMissing, Refusal):
        return ""
    return text_of(rows.records[0], "Id") or "" if rows.records else ""
