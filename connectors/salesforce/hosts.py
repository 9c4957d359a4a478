"""To which host a session's requests go, and to which they never go. Pure."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from crmtrail.written import is_loopback

_FAMILY: Final = (
    "salesforce.com",
    "force.com",
    "cloudforce.com",
    "database.com",
    "salesforce.mil",
    "crmforce.mil",
    "sfcrmproducts.cn",
    "sfcrmapps.cn",
)
"""Domains that Salesforce hands out instances under."""


def home(base_url: str, instance_url: str | None) -> str | None:
    """Return the origin for a session whose login named ``instance_url``; None: not to be trusted.

    An access token opens the whole org, so it goes to no host that merely claims to be the
    instance. A loopback server stands in for Salesforce: from there only loopback is followed,
    whatever public instance it names.
    """
    base = urlsplit(base_url)
    if not instance_url:
        return base_url
    there = _split(instance_url)
    if there is None:
        return None
    if is_loopback(base.hostname or ""):
        same_kind = is_loopback(there.hostname or "") and there.scheme == base.scheme
        return _origin(there) if same_kind else base_url
    if there.hostname == base.hostname:
        return base_url
    if there.scheme != "https" or there.port not in (None, 443):
        return None
    return _origin(there) if _is_family(there.hostname or "") else None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if sound and parts.username is None else None


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"


def _is_family(host: str) -> bool:
    return any(host.endswith(f".{domain}") for domain in _FAMILY)
