"""What in a source's settings does not fit its vendor. Pure."""

from collections.abc import Mapping
from typing import Final, Protocol

from crmtrail.auth_config import Auth, RefreshTokenAuth, shared_file_fault
from crmtrail.hooks_config import WebhooksConfig
from crmtrail.hubspot_versions import versions_fault
from crmtrail.written import api_version_fault

_METHODS: Final = ("token", "refresh_token")


class Settings(Protocol):
    """The part of a source's settings that is looked at."""

    @property
    def kind(self) -> str:
        """The vendor."""
        ...

    @property
    def api_version(self) -> str:
        """The version of all APIs."""
        ...

    @property
    def api_versions(self) -> Mapping[str, str]:
        """The versions of single families of APIs."""
        ...

    @property
    def write_api_version(self) -> str:
        """The version for requests that change something."""
        ...

    @property
    def webhooks(self) -> WebhooksConfig | None:
        """Where webhooks come in."""
        ...

    @property
    def auth(self) -> Auth:
        """The identity that reads."""
        ...

    @property
    def restore_auth(self) -> Auth | None:
        """The identity that writes restores."""
        ...


def source_fault(source: Settings) -> str:
    """Return what does not fit, in one line, or nothing."""
    if source.kind != "hubspot":
        for key in ("api_versions", "write_api_version", "webhooks"):
            if getattr(source, key):
                return f"{key} is for HubSpot only"
        fault = api_version_fault(source.kind, source.api_version)
        return fault or shared_file_fault(source.auth, source.restore_auth)
    auths = (source.auth, source.restore_auth)
    fault = versions_fault(source.api_version, source.api_versions, source.write_api_version)
    return fault or next(filter(None, map(_auth_fault, auths)), "") or shared_file_fault(*auths)


def _auth_fault(auth: Auth | None) -> str:
    if auth is None:
        return ""
    if auth.method not in _METHODS:
        return (
            "HubSpot takes method: token (of a private app, or a service key) or refresh_token (of "
            "an OAuth app)"
        )
    if isinstance(auth, RefreshTokenAuth) and auth.client_secret is None:
        return "method refresh_token of HubSpot needs client_secret too"
    return ""
