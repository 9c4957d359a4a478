"""The people of the seeded org, its profiles, queues and itself."""

from dataclasses import dataclass
from typing import Any

from crmtrail.sandbox.salesforce.grants import Grants
from crmtrail.sandbox.salesforce.sessions import INSTANCE, ORG, ROLES, Sessions
from crmtrail.sandbox.salesforce.tables import Tables

DOMAIN = "acme.example"
_ADMIN, _SALES = "System Administrator", "Sales User"
_INTEGRATION, _READER = "Integration", "Integration Read Only"
_CAST = (
    ("Priya", "Raman", "CRM Administrator", _ADMIN, True),
    ("Tom", "Okafor", "Sales Director", _SALES, True),
    ("Maya", "Lindholm", "Account Executive", _SALES, True),
    ("Jonas", "Weber", "Account Executive", _SALES, True),
    ("Sofia", "Almeida", "Account Executive", _SALES, True),
    ("Kenji", "Watanabe", "Account Executive", _SALES, True),
    ("Quinn", "Rivera", "Revenue Operations", _ADMIN, True),
    ("Ines", "Castro", "Finance Controller", _SALES, True),
    ("Dana", "Whitfield", "Account Executive (left)", _SALES, False),
    ("Marketing", "Sync", "Integration user", _INTEGRATION, True),
    ("CRM", "Observer", "Integration user", _READER, True),
    ("CRM", "Restorer", "Integration user", _INTEGRATION, True),
    ("Automated", "Process", "Platform", _ADMIN, True),
)


@dataclass(frozen=True, slots=True)
class People:
    """Ids of the seeded users by name, and who sells."""

    by_name: dict[str, str]
    sellers: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        return self.by_name[name]


def seed_people(tables: Tables, sessions: Sessions, born: str) -> People:
    """Write users, profiles, a queue and the organization; open the sessions of both roles."""
    users = tables.schema.objects["User"]
    fresh = tables.new_ids(users, len(_CAST))
    stamps = _stamps(born, fresh[0])
    profiles = _profiles(tables, stamps)
    rows = [_user(person, id_, profiles) | stamps for person, id_ in zip(_CAST, fresh, strict=True)]
    director = fresh[1]
    for row in rows:
        if "Executive" in row["Title"]:
            row["ManagerId"] = director
    tables.insert(users, rows)
    _organization(tables, stamps)
    by_name = {f"{first} {last}": id_ for (first, last, *_), id_ in zip(_CAST, fresh, strict=True)}
    for role in ROLES:
        user = by_name[f"CRM {role.title()}"]
        tables.set(f"user_{role}", user)
        tables.set(f"token_{role}", sessions.open(user))
    sellers = tuple(
        id_ for person, id_ in zip(_CAST, fresh, strict=True) if person[2] == "Account Executive"
    )
    return People(by_name, sellers)


def _stamps(born: str, user: str) -> dict[str, str]:
    return {
        "CreatedDate": born,
        "CreatedById": user,
        "LastModifiedDate": born,
        "LastModifiedById": user,
        "SystemModstamp": born,
    }


def _user(
    person: tuple[str, str, str, str, bool], id_: str, profiles: dict[str, str]
) -> dict[str, Any]:
    first, last, title, profile, active = person
    name = f"{first}.{last}".lower()
    automated = first == "Automated"
    return {
        "Id": id_,
        "FirstName": first,
        "LastName": last,
        "Title": title,
        "Username": f"{name}@{DOMAIN}",
        "Email": f"{name}@{DOMAIN}",
        "Alias": (first[0] + last)[:8].lower(),
        "Department": "Sales" if profile == _SALES else "Operations",
        "CompanyName": "Acme",
        "IsActive": int(active),
        "ProfileId": profiles[profile],
        "UserType": "AutomatedProcess" if automated else "Standard",
        "TimeZoneSidKey": "Europe/Berlin",
        "LocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "UserPermissionsMarketingUser": 0,
        "ForecastEnabled": int(profile == _SALES),
    }


def _profiles(tables: Tables, stamps: dict[str, str]) -> dict[str, str]:
    sobject = tables.schema.objects["Profile"]
    names = (_ADMIN, _SALES, _INTEGRATION, _READER)
    fresh = tables.new_ids(sobject, len(names))
    rows = [
        {
            "Id": id_,
            "Name": name,
            "UserType": "Standard",
            "PermissionsModifyAllData": int(name in (_ADMIN, _INTEGRATION)),
            "PermissionsViewAllData": int(name != _SALES),
            "PermissionsApiEnabled": 1,
            **stamps,
        }
        for name, id_ in zip(names, fresh, strict=True)
    ]
    tables.insert(sobject, rows)
    return dict(zip(names, fresh, strict=True))


def _organization(tables: Tables, stamps: dict[str, str]) -> None:
    queue = tables.schema.objects["Group"]
    tables.insert(
        queue,
        [
            {
                "Id": tables.new_ids(queue)[0],
                "Name": "Inbound Leads",
                "DeveloperName": "Inbound_Leads",
                "Type": "Queue",
                "DoesSendEmailToMembers": 0,
                **stamps,
            }
        ],
    )
    tables.insert(
        tables.schema.objects["Organization"],
        [
            {
                "Id": ORG,
                "Name": "Acme",
                "City": "Berlin",
                "Country": "Germany",
                "Phone": "+49 30 5550100",
                "DefaultLocaleSidKey": "en_US",
                "TimeZoneSidKey": "Europe/Berlin",
                "LanguageLocaleKey": "en_US",
                "FiscalYearStartMonth": 1,
                "OrganizationType": "Enterprise Edition",
                "InstanceName": "EUX1",
                "IsSandbox": 0,
                **stamps,
            }
        ],
    )


def told(tables: Tables, sessions: Sessions) -> dict[str, Any]:
    """Return users, tokens and OAuth clients for people who write tests."""
    rows = tables.db.execute(
        'SELECT u."Id", u."Name", u."Email", u."Username", u."IsActive", u."UserType", p."Name"'
        ' FROM "sf_User" u JOIN "sf_Profile" p ON p."Id" = u."ProfileId" ORDER BY u._row'
    )
    users = [
        {
            "id": id_,
            "name": name,
            "email": email,
            "username": username,
            "active": bool(active),
            "kind": "system" if type_ == "AutomatedProcess" else _kind(profile),
        }
        for id_, name, email, username, active, type_, profile in rows
    ]
    return {
        "users": users,
        "tokens": {role: tables.setting(f"token_{role}") for role in ROLES},
        "clients": Grants(tables, sessions).clients(),
        "instance": tables.setting("instance_url", INSTANCE),
        "organization": ORG,
    }


def _kind(profile: str) -> str:
    return "app" if profile in (_INTEGRATION, _READER) else "user"
