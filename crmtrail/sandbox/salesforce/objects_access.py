"""Logins, sessions and the setup audit trail: who came in, and what they changed in Setup."""

from typing import Any

from crmtrail.sandbox.salesforce.fields import (
    Field,
    area,
    check,
    fixed,
    moment,
    number,
    pick,
    ref,
    stamps,
    text,
    whole,
)
from crmtrail.sandbox.salesforce.schema import SObject

_NO_FILTER: dict[str, Any] = fixed(closed=("filter",))
_NEVER: dict[str, Any] = fixed(nillable=False, defaulted=True)
LOGIN_TYPES = "Application|Remote Access 2.0|Remote Access Client|Partner Product|Other Apex API"


def row_id(**more: Any) -> Field:
    """Make the id of an object that lacks the usual audit fields."""
    return Field("Id", "id", length=18, **{**_NEVER, **more})


def born(*, stamp: bool = True) -> tuple[Field, ...]:
    """Make the audit fields of rows that are written once."""
    last = (moment("SystemModstamp", **_NEVER),) if stamp else ()
    return (moment("CreatedDate", **_NEVER), ref("CreatedById", "User", **_NEVER), *last)


def written_by_org(name: str, plural: str, prefix: str, fields: tuple[Field, ...], **more: Any
                   ) -> SObject:  # fmt: skip
    """Make an object that only the org itself writes."""
    never: dict[str, Any] = {
        "createable": False,
        "updateable": False,
        "deletable": False,
        "undeletable": False,
        "replicateable": False,
    }
    return SObject(name, plural, prefix, fields, **{**never, **more})


_LOGIN = written_by_org(
    "LoginHistory",
    "Login History",
    "0Ya",
    (
        row_id(),
        # An id without a lookup: the row stays when the user's record changes.
        ref("UserId", "User", **fixed(nillable=False)),
        moment("LoginTime", **fixed(nillable=False)),
        pick("LoginType", LOGIN_TYPES, **fixed()),
        pick("LoginSubType", "OAuthJwtBearer|OAuthClientCredentials|OAuthRefreshToken",
             **_NO_FILTER),
        text("SourceIp", 39, **_NO_FILTER),
        text("ForwardedForIp", 256, **_NO_FILTER),
        text("LoginUrl", 512, **fixed()),
        ref("AuthenticationServiceId", "User", **fixed()),
        ref("LoginGeoId", "LoginGeo", **_NO_FILTER),
        text("TlsProtocol", 64, **fixed()),
        text("CipherSuite", 64, **fixed()),
        check("OptionsIsGet", **_NO_FILTER),
        check("OptionsIsPost", **_NO_FILTER),
        text("Browser", 64, **_NO_FILTER),
        text("Platform", 64, **_NO_FILTER),
        text("Status", 128, **_NO_FILTER),
        text("Application", 64, **_NO_FILTER),
        text("ClientVersion", 64, **_NO_FILTER),
        text("ApiType", 64, **_NO_FILTER),
        text("ApiVersion", 32, **_NO_FILTER),
        text("CountryIso", 3, **fixed()),
        text("AuthMethodReference", 512, **_NO_FILTER),
        text("AuthContextClassRef", 512, **_NO_FILTER),
        text("NetworkId", 18, **fixed()),
    ),
    label="Login History",
)  # fmt: skip

_GEO = written_by_org(
    "LoginGeo",
    "Login Geo Data",
    "04F",
    (
        row_id(),
        *born(),
        moment("LoginTime", **fixed(nillable=False)),
        text("CountryIso", 3, **fixed()),
        text("Country", 255, **fixed()),
        number("Latitude", 18, 15, **fixed()),
        number("Longitude", 18, 15, **fixed()),
        text("City", 255, **fixed()),
        text("PostalCode", 255, **fixed()),
        text("Subdivision", 255, **fixed()),
    ),
    label="Login Geo Data",
)

_IP = written_by_org(
    "LoginIp",
    "Login IPs",
    "710",
    (
        row_id(),
        ref("UsersId", "User", **fixed(nillable=False)),
        text("SourceIp", 39, **fixed(nillable=False)),
        moment("CreatedDate", **_NEVER),
        check("IsAuthenticated", **fixed()),
        moment("ChallengeSentDate", **fixed()),
        text("ChallengeMethod", 40, **fixed()),
    ),
    label="Login IP",
    deletable=True,
)

_SESSION = written_by_org(
    "AuthSession",
    "Auth Sessions",
    "0Ak",
    (
        row_id(),
        ref("UsersId", "User", **fixed(nillable=False)),
        moment("CreatedDate", **_NEVER),
        moment("LastModifiedDate", **_NEVER),
        whole("NumSecondsValid", **fixed(nillable=False)),
        pick("UserType", "Standard|AutomatedProcess", **fixed()),
        text("SourceIp", 39, **fixed()),
        pick("LoginType", LOGIN_TYPES, **fixed()),
        pick("SessionType", "UI|API|Oauth2|TempOauthAccessTokenFrontdoor", **fixed()),
        pick("SessionSecurityLevel", "LOW|STANDARD|HIGH_ASSURANCE", **fixed()),
        text("LogoutUrl", 1500, **fixed()),
        ref("ParentId", "AuthSession", **fixed()),
        ref("LoginHistoryId", "LoginHistory", **fixed()),
        ref("LoginGeoId", "LoginGeo", **fixed()),
        check("IsCurrent", **fixed()),
    ),
    label="Auth Session",
    deletable=True,
)

_VERIFICATION = written_by_org(
    "VerificationHistory",
    "Verification History",
    "0YV",
    (
        *stamps(),
        text("EventGroup", 30, **fixed()),
        moment("VerificationTime", **fixed()),
        pick("VerificationMethod", "Sms|Email|Totp|U2F|SalesforceAuthenticator", **fixed()),
        ref("UserId", "User", **fixed(nillable=False)),
        pick("Activity", "Login|AccessReports|ChangeEmail|RaiseSessionSecurity", **fixed()),
        pick("Status", "Succeeded|FailedInvalidCode|Denied|InProgress", **fixed()),
        ref("LoginHistoryId", "LoginHistory", **fixed()),
        ref("LoginGeoId", "LoginGeo", **fixed()),
        text("SourceIp", 39, **fixed()),
        pick("Policy", "HighAssurance|DeviceActivation|ProfilePolicy", **fixed()),
        text("Remarks", 255, **fixed()),
        text("ResourceId", 18, **fixed()),
    ),
    label="Verification History",
)

_SETUP = written_by_org(
    "SetupAuditTrail",
    "Setup Audit Trail Entries",
    "0Ym",
    (
        row_id(closed=("aggregate",)),
        text("Action", 255, **fixed(nillable=False)),
        text("Section", 255, **_NO_FILTER),
        *born(),
        area("Display", 1000, **_NO_FILTER),
        text("DelegateUser", 255, **fixed()),
        text("ResponsibleNamespacePrefix", 15, **fixed()),
        text("CreatedByContext", 128, **fixed()),
        text("CreatedByIssuer", 128, **fixed()),
    ),
    label="Setup Audit Trail Entry",
)

ACCESS = (_LOGIN, _GEO, _IP, _SESSION, _VERIFICATION, _SETUP)
