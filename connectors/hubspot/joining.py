"""What HubSpot's logs say of one change: the deed in the audit log, and the login before it. Pure.

The audit log tells object, user and time, and neither the property nor its values; the property
history tells those, and no place. Together they say who changed what from where. HubSpot logs no
record views, so nothing here tells who looked at a record.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crmtrail.model import ActorKind, ChangeSet, Ref, Version, value_of

NEAR: Final = timedelta(seconds=5)
"""By so much the stamps of one deed may differ between two of HubSpot's services."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What the logs say of a change.

    ``audited`` is the entry of ``audit_logs`` that tells of the same deed, ``login`` the user's
    last successful login before it; ``address`` and ``place`` are from where that was.
    """

    audited: Ref | None = None
    login: Ref | None = None
    address: str | None = None
    place: str | None = None


def witnessed(change: ChangeSet, audits: Iterable[Version], logins: Iterable[Version]) -> Witnessed:
    """Return what the logs say of a change of a record.

    Only a change by a user can be found in them: HubSpot logs no deeds of apps, forms, imports
    and workflows there.

    Args:
        change: as the property history tells it.
        audits: entries of ``audit_logs`` about that time.
        logins: entries of ``login_activity`` before it.
    """
    if change.actor.kind is not ActorKind.USER or change.actor.id is None:
        return Witnessed()
    deed = _deed(change, audits)
    login = _login(change.actor.id, change.at, logins)
    if login is None:
        return Witnessed(deed.ref if deed else None)
    address, place = _told(login, "ipAddress"), _told(login, "location")
    return Witnessed(deed.ref if deed else None, login.ref, address, place)


def _deed(change: ChangeSet, audits: Iterable[Version]) -> Version | None:
    target = f"{change.ref.object}:{change.ref.id}"
    near = [
        one
        for one in audits
        if _told(one, "target") == target
        and str(_told(one, "userId")) == change.actor.id
        and abs(one.at - change.at) <= NEAR
    ]
    return min(near, key=lambda one: abs(one.at - change.at), default=None)


def _login(user: str, before: datetime, logins: Iterable[Version]) -> Version | None:
    own = [
        one
        for one in logins
        if str(_told(one, "userId")) == user and _told(one, "loginSucceeded") and one.at <= before
    ]
    return max(own, key=lambda one: one.at, default=None)


def _told(one: Version, name: str) -> Any:
    return value_of(one.fields.get(name, "null"))
