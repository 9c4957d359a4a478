"""What the org writes down by itself of logins and of what is changed in Setup."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.access_definitions import NO_ID
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.world import Actor

Row = Mapping[str, Any]
Line = tuple[str, str, str]
"""Action, section and display of one entry of the setup audit trail."""
SUCCESS = "Success"
USERS, PLACES = "Manage Users", {"DE": "Germany", "US": "United States", "RO": "Romania"}
_CAPITALS = {"DE": ("Berlin", 52.52, 13.405), "US": ("Chicago", 41.88, -87.63),
             "RO": ("Cluj-Napoca", 46.77, 23.59)}  # fmt: skip
_SESSION_SECONDS = 7200
_SETUP = "SetupAuditTrail"
_SUBTYPES = {
    "client_credentials": "OAuthClientCredentials",
    "refresh_token": "OAuthRefreshToken",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": "OAuthJwtBearer",
}


class AccessTrail:
    """Writes login and setup rows. Call inside `Records.unit`."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tables = records.tables
        self._delegate: str | None = None
        self._lines: dict[str, Callable[[str, str, Row, Row], list[Line]]] = {
            "PermissionSetAssignment": self._assignment,
            "PermissionSet": self._permission_set,
            "User": self._user,
            "UserLogin": self._frozen,
            "UserRole": self._role,
            "GroupMember": self._member,
        }
        records.watchers.append(self._watch)

    @contextmanager
    def delegated(self, delegate: object) -> Iterator[None]:
        """Name who was logged in as somebody else while the work inside was done."""
        self._delegate = None if delegate is None else str(delegate)
        try:
            yield
        finally:
            self._delegate = None

    def _new(self, name: str, values: Row, by: By, at: datetime) -> str:
        sobject = self._tables.schema.get(name)
        if sobject is None:
            return ""
        if sobject.big:
            self._records.create_as(sobject, [(NO_ID, values)], by, at)
            return NO_ID
        return self._records.create(sobject, [values], by, at)[0]

    def setup(self, line: Line, by: By, at: datetime, **more: str | None) -> str:
        """Write an entry of the setup audit trail and return its id."""
        action, section, display = line
        told = {"Action": action, "Section": section, "Display": display}
        return self._new(_SETUP, {**told, "DelegateUser": self._delegate, **more}, by, at)

    def login(self, by: By, at: datetime, told: Row) -> str:
        """Write a login: where from, how, and the session if it succeeded; return its row's id."""
        when = moments.stamp(at)
        country = str(told.get("country") or "DE")
        ip, status = str(told.get("ip") or "203.0.113.10"), str(told.get("status") or SUCCESS)
        city, north, east = _CAPITALS.get(country, (None, None, None))
        place = {
            "LoginTime": when, "CountryIso": country, "Country": PLACES.get(country), "City": city,
            "Latitude": north, "Longitude": east,
        }  # fmt: skip
        geo = self._new("LoginGeo", place, by, at)
        kind = str(told.get("type") or "Application")
        how = {
            "LoginType": kind,
            "LoginSubType": told.get("subtype"),
            "SourceIp": ip,
            "LoginUrl": "acme.my.salesforce.com",
            "LoginGeoId": geo,
            "TlsProtocol": "TLS 1.3",
            "CipherSuite": "TLS_AES_256_GCM_SHA384",
            "Browser": told.get("browser")
            or ("Chrome 142" if kind == "Application" else "Unknown"),
            "Platform": told.get("platform") or "Unknown",
            "Status": status,
            "Application": told.get("application")
            or ("Browser" if kind == "Application" else "N/A"),
            "ApiType": told.get("api_type"),
            "ApiVersion": told.get("api_version"),
        }
        values = how | {"UserId": by.user, "LoginTime": when, "CountryIso": country}
        id_ = self._new("LoginHistory", values | {"OptionsIsPost": 1}, by, at)
        if status == SUCCESS:
            self._session(by, at, how | {"LoginHistoryId": id_})
        self._event(by, at, how | place | {"LoginHistoryId": id_})
        return id_

    def token(self, user: str, grant: str) -> None:
        """Write the login of somebody who got a token."""
        subtype = _SUBTYPES.get(grant)
        row = self._tables.row(self._tables.schema.objects["User"], user) or {}
        by, at = By(Actor("app", user, str(row.get("Name"))), user), self._tables.world.clock.now()
        told = {
            "type": "Remote Access 2.0",
            "subtype": subtype,
            "application": "crmtrail",
            "ip": "198.51.100.7",
            "api_type": "N/A",
        }
        with self._records.unit(at):
            self.login(by, at, told)

    def _session(self, by: By, at: datetime, how: Row) -> None:
        api = how["LoginType"] != "Application"
        shared = {
            name: how[name] for name in ("SourceIp", "LoginType", "LoginHistoryId", "LoginGeoId")
        }
        values = shared | {
            "UsersId": by.user,
            "NumSecondsValid": _SESSION_SECONDS,
            "UserType": "Standard",
            "SessionType": "Oauth2" if api else "UI",
            "SessionSecurityLevel": "STANDARD",
            "IsCurrent": 0,
        }
        self._new("AuthSession", values, by, at)

    def _event(self, by: By, at: datetime, how: Row) -> None:
        known = ("LoginType", "LoginSubType", "SourceIp", "LoginUrl", "LoginGeoId",
                 "LoginHistoryId",
                 "TlsProtocol", "CipherSuite", "Browser", "Platform", "Status", "Application",
                 "ApiType", "ApiVersion", "City", "Country", "CountryIso")  # fmt: skip
        values = {name: how[name] for name in known}
        where = {"LoginLatitude": how["Latitude"], "LoginLongitude": how["Longitude"]}
        self.event("LoginEvent", values | where | {"SessionLevel": "STANDARD"}, by, at)

    def event(self, name: str, values: Row, by: By, at: datetime) -> str:
        """Write an event of real-time monitoring and return what identifies it."""
        (number,) = self._tables.take(f"{name}.EventIdentifier")
        bits = self._tables.world.random(f"salesforce/{name}/{number}").getrandbits(128)
        user = self._tables.row(self._tables.schema.objects["User"], by.user) or {}
        known = {
            "EventIdentifier": str(UUID(int=bits, version=4)),
            "EventDate": moments.stamp_millis(at),
            "CreatedDate": moments.stamp_millis(at),
            "UserId": by.user,
            "Username": user.get("Username"),
        }
        self._new(name, known | dict(values), by, at)
        return str(known["EventIdentifier"])

    def _watch(
        self, sobject: SObject, id_: str, op: str, before: Row, after: Row, by: By, at: datetime
    ) -> None:
        told = self._lines.get(sobject.name)
        if told is None:
            return
        for line in told(op, id_, before, after):
            self.setup(line, by, at)

    def _name(self, object_: str, id_: object, field: str = "Name") -> str:
        row = self._tables.row(self._tables.schema.objects[object_], str(id_))
        return str((row or {}).get(field) or id_)

    def _assignment(self, op: str, id_: str, _before: Row, _after: Row) -> list[Line]:
        verbs = {
            "create": ("PermSetAssign", "assigned to"),
            "delete": ("PermSetUnassign", "unassigned from"),
        }
        row = self._tables.row(self._tables.schema.objects["PermissionSetAssignment"], id_)
        if op not in verbs or row is None:
            return []
        action, words = verbs[op]
        set_ = self._name("PermissionSet", row["PermissionSetId"], "Label")
        user = self._name("User", row["AssigneeId"])
        short = str(row["AssigneeId"])[:15]
        return [(action, USERS, f"Permission set {set_}: {words} user {user} (UserID: [{short}])")]

    def _permission_set(self, op: str, id_: str, before: Row, after: Row) -> list[Line]:
        label = self._name("PermissionSet", id_, "Label")
        if op == "create":
            return [("PermSetCreate", USERS, f"Created permission set {label}: with no license")]
        if op == "delete":
            return [("PermSetDelete", USERS, f"Deleted permission set {label}")]
        words = {True: "enabled", False: "disabled"}
        lines = []
        for name in after:
            if name.startswith("Permissions"):
                verb = "Enable" if after[name] else "Disable"
                old, new = words[bool(before[name])], words[bool(after[name])]
                right = name.removeprefix("Permissions")
                told = f"{right} permission was changed from {old} to {new}"
                display = f"Changed permission set {label}: {told}"
                lines.append((f"PermSet{verb}UserPerm", USERS, display))
        return lines

    def _user(self, op: str, id_: str, before: Row, after: Row) -> list[Line]:
        name = self._name("User", id_)
        if op == "create":
            return [("createduser", USERS, f"Created new user {name}")]
        lines = []
        if "IsActive" in after:
            verb = "activated" if after["IsActive"] else "deactivated"
            lines.append((f"{verb}user", USERS, f"{verb.title()} user {name}"))
        for field, action, kind in (
            ("ProfileId", "changedprofileforuser", "Profile"),
            ("UserRoleId", "changedroleforuser", "UserRole"),
        ):
            if field in after:
                old, new = (self._name(kind, side[field]) for side in (before, after))
                word = "profile" if kind == "Profile" else "role"
                lines.append((action, USERS, f"Changed {word} for user {name} from {old} to {new}"))
        return lines

    def _frozen(self, _op: str, id_: str, _before: Row, after: Row) -> list[Line]:
        if "IsFrozen" not in after:
            return []
        row = self._tables.row(self._tables.schema.objects["UserLogin"], id_) or {}
        verb = "froze" if after["IsFrozen"] else "unfroze"
        return [(f"{verb}user", USERS, f"{verb.title()} user {self._name('User', row['UserId'])}")]

    def _role(self, op: str, id_: str, _before: Row, _after: Row) -> list[Line]:
        words = {"create": "Created", "update": "Changed", "delete": "Deleted"}
        if op not in words:
            return []
        said = words[op]
        return [
            (f"{said.lower()}role", "Manage Roles", f"{said} role {self._name('UserRole', id_)}")
        ]

    def _member(self, op: str, id_: str, _before: Row, _after: Row) -> list[Line]:
        row = self._tables.row(self._tables.schema.objects["GroupMember"], id_)
        words = {"create": "added to", "delete": "removed from"}
        if op not in words or row is None:
            return []
        member = str(row["UserOrGroupId"])
        kind = "User" if member.startswith("005") else "Group"
        group = self._name("Group", row["GroupId"])
        return [
            (
                "groupMembership",
                "Manage Groups",
                f"{self._name(kind, member)} {words[op]} group {group}",
            )
        ]
