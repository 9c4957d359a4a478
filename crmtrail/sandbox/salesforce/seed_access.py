"""The seeded org's permissions, roles, logins, setup changes and event logs: a few of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.access_definitions import NO_ID
from crmtrail.sandbox.salesforce.dice import Calendar
from crmtrail.sandbox.salesforce.seed_people import People
from crmtrail.sandbox.salesforce.tables import Tables

Row = dict[str, Any]
_ADMIN = "Priya Raman"
_ROLES = (
    ("CEO", "", ()),
    ("Sales Director", "CEO", ("Tom Okafor",)),
    ("Account Executive", "Sales Director",
     ("Maya Lindholm", "Jonas Weber", "Sofia Almeida", "Kenji Watanabe", "Dana Whitfield")),
    ("Finance", "CEO", ("Ines Castro",)),
)  # fmt: skip
_SETS = (
    ("Quote_Approver", "Quote Approver", ("RunReports", "ExportReport"), ("Ines Castro",)),
    ("Data_Steward", "Data Steward", ("ImportLeads", "MassInlineEdit", "TransferAnyEntity"),
     ("Quinn Rivera",)),
    ("API_Access", "API Access", ("ApiEnabled",), ("Marketing Sync", "CRM Observer")),
    ("View_Everything", "View Everything",
     ("ViewAllData", "ViewSetup", "ViewEventLogFiles", "QueryAllFiles"), ("CRM Observer",)),
)  # fmt: skip
_SETUP = (
    ("createduser", "Manage Users", "Created new user Kenji Watanabe", 410),
    ("changedprofileforuser", "Manage Users",
     "Changed profile for user Quinn Rivera from Sales User to System Administrator", 220),
    ("PermSetCreate", "Manage Users", "Created permission set Data Steward: with no license", 200),
    ("deactivateduser", "Manage Users", "Deactivated user Dana Whitfield", 64),
    ("createdValidationNew", "Validation Rules",
     "Created validation rule Discount_Limit for Opportunity", 31),
    ("massDelete", "Mass Delete", "Mass deleted 12 leads", 12),
    ("dataExport", "Data Export", "Requested an export", 9),
    ("insertConnectedApplication", "Connected Apps", "Installed connected app crmtrail", 5),
)  # fmt: skip


class AccessSeed:
    """Writes rows straight into the tables: what happened before anybody looked."""

    def __init__(self, tables: Tables, calendar: Calendar, people: People) -> None:
        self._tables = tables
        self._calendar = calendar
        self._people = people
        self._admin = people[_ADMIN]
        self._born = calendar.ago(700)

    def fill(self) -> None:
        """Write all of it."""
        self._roles()
        self._permissions()
        self._members()
        self._logins()
        self._setup()

    def write(self, name: str, rows: Sequence[Row]) -> list[str]:
        """Write rows of an object, with the audit fields of the oldest day unless they say so."""
        sobject = self._tables.schema.objects[name]
        fresh = [NO_ID] * len(rows) if sobject.big else self._tables.new_ids(sobject, len(rows))
        stamps = {
            "CreatedDate": self._born,
            "CreatedById": self._admin,
            "LastModifiedDate": self._born,
            "LastModifiedById": self._admin,
            "SystemModstamp": self._born,
        }
        blank = {item.name: item.default for item in sobject.stored if item.default is not None}
        made = [{**blank, **stamps, **row, "Id": id_} for row, id_ in zip(rows, fresh, strict=True)]
        self._tables.insert(sobject, made)
        return fresh

    def _roles(self) -> None:
        by_name: dict[str, str] = {}
        for name, parent, holders in _ROLES:
            row = {
                "Name": name,
                "DeveloperName": name.replace(" ", "_"),
                "ParentRoleId": by_name.get(parent),
            }
            (by_name[name],) = self.write("UserRole", [row])
            for holder in holders:
                users = self._tables.schema.objects["User"]
                self._tables.change(users, self._people[holder], {"UserRoleId": by_name[name]})

    def _permissions(self) -> None:
        made = {}
        for name, label, rights, holders in _SETS:
            flags = {f"Permissions{right}": 1 for right in rights}
            row = {"Name": name, "Label": label, "Type": "Regular", **flags}
            (made[name],) = self.write("PermissionSet", [row])
            self._assign(made[name], [self._people[holder] for holder in holders])
        self._of_profiles()
        self._group(made["Quote_Approver"], made["Data_Steward"])
        common = {"ParentId": made["View_Everything"]}
        everything = {"PermissionsRead": 1, "PermissionsViewAllRecords": 1}
        self.write(
            "ObjectPermissions",
            [
                {**common, **everything, "SobjectType": name}
                for name in ("Account", "Contact", "Quote")
            ],
        )
        fields = ("Contact.Birthdate", "Account.Contract_Discount__c", "Quote.Approved_Discount__c")
        self.write(
            "FieldPermissions",
            [
                {**common, "SobjectType": field.split(".")[0], "Field": field, "PermissionsRead": 1}
                for field in fields
            ],
        )
        app = {"SetupEntityId": "0H45g000000001QCAQ", "SetupEntityType": "ConnectedApplication"}
        self.write("SetupEntityAccess", [{"ParentId": made["API_Access"], **app}])

    def _assign(self, granted: str, users: Sequence[str], group: str | None = None) -> None:
        shared = {"PermissionSetId": granted, "PermissionSetGroupId": group, "IsActive": 1}
        self.write("PermissionSetAssignment", [{**shared, "AssigneeId": user} for user in users])

    def _of_profiles(self) -> None:
        """Write the permission set each profile owns, and its assignments."""
        profiles = self._tables.db.execute(
            'SELECT "Id", "Name", "PermissionsModifyAllData", "PermissionsViewAllData"'
            ' FROM "sf_Profile" ORDER BY _row'
        ).fetchall()
        for number, (id_, name, modifies, views) in enumerate(profiles):
            admin = int("Administrator" in name)
            row = {
                "Name": f"X00ex{number:014}",
                "Label": f"00ex{number:014}",
                "ProfileId": id_,
                "IsOwnedByProfile": 1,
                "IsCustom": 0,
                "Type": "Profile",
                "PermissionsApiEnabled": 1,
                "PermissionsModifyAllData": modifies,
                "PermissionsViewAllData": views,
                **{f"Permissions{right}": admin for right in (
                    "ManageUsers", "ViewSetup", "CustomizeApplication", "AuthorApex")},
            }  # fmt: skip
            (granted,) = self.write("PermissionSet", [row])
            holders = self._tables.db.execute(
                'SELECT "Id" FROM "sf_User" WHERE "ProfileId" = ? ORDER BY _row', (id_,)
            ).fetchall()
            self._assign(granted, [holder for (holder,) in holders])

    def _group(self, *parts: str) -> None:
        row = {"DeveloperName": "Revenue_Control", "MasterLabel": "Revenue Control"}
        (group,) = self.write("PermissionSetGroup", [{**row, "Language": "en_US"}])
        muting = {
            "DeveloperName": "Revenue_Control_Muting",
            "MasterLabel": "Revenue Control Muting",
            "PermissionsExportReport": 1,
        }
        (mute,) = self.write("MutingPermissionSet", [muting])
        self.write(
            "PermissionSetGroupComponent",
            [{"PermissionSetGroupId": group, "PermissionSetId": part} for part in (*parts, mute)],
        )
        own = {
            "Name": "Revenue_Control_Group",
            "Label": "Revenue Control",
            "Type": "Group",
            "PermissionSetGroupId": group,
        }
        (granted,) = self.write("PermissionSet", [own])
        self._assign(granted, [self._people["Tom Okafor"]], group)

    def _members(self) -> None:
        (queue,) = self._tables.db.execute('SELECT "Id" FROM "sf_Group" ORDER BY _row').fetchone()
        row = {
            "Name": "Finance Approvers",
            "DeveloperName": "Finance_Approvers",
            "Type": "Regular",
            "DoesSendEmailToMembers": 0,
        }
        (approvers,) = self.write("Group", [row])
        pairs = ((queue, "Maya Lindholm"), (queue, "Jonas Weber"), (approvers, "Ines Castro"))
        self.write(
            "GroupMember",
            [{"GroupId": group, "UserOrGroupId": self._people[name]} for group, name in pairs],
        )
        self.write("UserLogin", [{"UserId": user} for user in self._people.by_name.values()])

    def _logins(self) -> None:
        rows = []
        for number, (name, user) in enumerate(self._people.by_name.items()):
            if name == "Automated Process":
                continue
            api = name in ("Marketing Sync", "CRM Observer", "CRM Restorer")
            days = (40 + number, 3 + number / 10)
            rows += [_login(self._calendar.ago(day), user, api=api) for day in days]
        rows.append(rows[0] | {"Status": "Invalid Password", "LoginTime": self._calendar.ago(2.5)})
        rows.sort(key=lambda row: str(row["LoginTime"]))
        geos = self.write(
            "LoginGeo",
            [
                {
                    "LoginTime": row["LoginTime"], "CreatedDate": row["LoginTime"],
                    "SystemModstamp": row["LoginTime"], "CountryIso": "DE", "Country": "Germany",
                    "City": "Berlin", "Latitude": 52.52, "Longitude": 13.405,
                }
                for row in rows
            ],
        )  # fmt: skip
        told = [row | {"LoginGeoId": geo} for row, geo in zip(rows, geos, strict=True)]
        made = self.write("LoginHistory", told)
        known = {row["UserId"]: (row["SourceIp"], row["LoginTime"]) for row in rows}
        self.write(
            "LoginIp",
            [
                {"UsersId": user, "SourceIp": ip, "IsAuthenticated": 1, "CreatedDate": at}
                for user, (ip, at) in known.items()
            ],
        )
        self._verified(rows[-1], made[-1])

    def _verified(self, login: Row, id_: str) -> None:
        at = login["LoginTime"]
        row = {
            "VerificationTime": at,
            "VerificationMethod": "SalesforceAuthenticator",
            "UserId": login["UserId"],
            "Activity": "Login",
            "Status": "Succeeded",
            "LoginHistoryId": id_,
            "SourceIp": login["SourceIp"],
            "Policy": "HighAssurance",
            **dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), at),
        }
        self.write("VerificationHistory", [row])

    def _setup(self) -> None:
        self.write(
            "SetupAuditTrail",
            [
                {
                    "Action": action,
                    "Section": section,
                    "Display": display,
                    "CreatedDate": self._calendar.ago(days),
                    "SystemModstamp": self._calendar.ago(days),
                }
                for action, section, display, days in _SETUP
            ],
        )

    def before_midnight(self, minutes: float) -> datetime:
        """Return a moment of yesterday's last hours."""
        return self._calendar.today - timedelta(minutes=minutes)

    def stamp(self, minutes: float) -> str:
        """Return such a moment as the org writes it."""
        return moments.stamp(self.before_midnight(minutes))


def _login(at: str, user: str, *, api: bool) -> Row:
    return {
        "UserId": user,
        "LoginTime": at,
        "LoginType": "Remote Access 2.0" if api else "Application",
        "LoginSubType": "OAuthClientCredentials" if api else None,
        "SourceIp": "198.51.100.7" if api else "203.0.113.10",
        "LoginUrl": "acme.my.salesforce.com",
        "TlsProtocol": "TLS 1.3",
        "CipherSuite": "TLS_AES_256_GCM_SHA384",
        "Browser": "Unknown" if api else "Chrome 142",
        "Platform": "Unknown" if api else "Windows 11",
        "Status": "Success",
        "Application": "crmtrail" if api else "Browser",
        "CountryIso": "DE",
        "OptionsIsPost": 1,
    }
