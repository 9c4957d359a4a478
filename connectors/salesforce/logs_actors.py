"""Who is behind a row of an access log: it is told by fields of the log's own.

Source: LoginHistory, AuthSession, LoginIp, VerificationHistory and SetupAuditTrail of the Object
Reference. Such a row is written once, by the org, about what a user did.
"""

from collections.abc import Mapping
from typing import Final

from crmtrail.model import Actor, ActorKind

USER_FIELDS: Final[Mapping[str, str]] = {
    "AuthSession": "UsersId",
    "LoginHistory": "UserId",
    "LoginIp": "UsersId",
    "SetupAuditTrail": "CreatedById",
    "VerificationHistory": "UserId",
}
"""By object: the field that names the user whose deed a row tells."""

BORN: Final[Mapping[str, str]] = {"LoginHistory": "LoginTime"}
"""By object: the stamp of the deed, where the object has no CreatedDate."""

DELEGATE: Final = "DelegateUser"
"""The field of SetupAuditTrail that names who was logged in as somebody else."""


def behind(user: Actor, delegate: str | None) -> Actor:
    """Return who did it: the one who was logged in as ``user``, or the user."""
    if not delegate:
        return user
    return Actor(ActorKind.USER, name=delegate, via=user.name or user.id)
