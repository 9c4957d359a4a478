"""Objects about people and the org itself."""

from crmtrail.sandbox.salesforce.fields import (
    address,
    check,
    email,
    fixed,
    moment,
    person,
    phone,
    pick,
    ref,
    stamps,
    text,
    whole,
)
from crmtrail.sandbox.salesforce.schema import SObject

_USER = SObject(
    "User",
    "Users",
    "005",
    (
        *stamps(deletable=False),
        text("Username", 80, nillable=False, unique=True),
        *person(),
        text("CompanyName", 80),
        text("Division", 80),
        text("Department", 80),
        text("Title", 80),
        *address(""),
        email("Email", nillable=False),
        phone("Phone"),
        phone("MobilePhone"),
        text("Alias", 8, nillable=False),
        check("IsActive", default=1),
        pick(
            "TimeZoneSidKey", "Europe/Berlin|America/New_York|UTC", nillable=False, defaulted=True
        ),
        pick("LocaleSidKey", "en_US|de_DE", nillable=False, defaulted=True),
        pick("LanguageLocaleKey", "en_US|de", nillable=False, defaulted=True),
        pick("EmailEncodingKey", "UTF-8|ISO-8859-1", nillable=False, defaulted=True),
        ref("ProfileId", "Profile", nillable=False, children="Users", on_delete="restrict"),
        pick("UserType", "Standard|AutomatedProcess|PowerPartner", **fixed(defaulted=True)),
        text("EmployeeNumber", 20),
        ref("ManagerId", "User", children="ManagedUsers"),
        ref("UserRoleId", "UserRole", children="Users"),
        text("FederationIdentifier", 512),
        moment("LastLoginDate", **fixed()),
        check("UserPermissionsMarketingUser"),
        check("ForecastEnabled"),
    ),
    deletable=False,
    undeletable=False,
)

_PROFILE = SObject(
    "Profile",
    "Profiles",
    "00e",
    (
        *stamps(deletable=False),
        text("Name", 255, nillable=False, title=True),
        text("Description", 255),
        pick("UserType", "Standard|AutomatedProcess|PowerPartner", **fixed()),
        check("PermissionsModifyAllData"),
        check("PermissionsViewAllData"),
        check("PermissionsApiEnabled", default=1),
    ),
    undeletable=False,
    replicateable=False,
)

_GROUP = SObject(
    "Group",
    "Groups",
    "00G",
    (
        *stamps(deletable=False),
        text("Name", 40, nillable=False, title=True),
        text("DeveloperName", 80),
        pick("Type", "Regular|Queue|Role|Organization", nillable=False),
        email("Email"),
        check("DoesSendEmailToMembers"),
    ),
    undeletable=False,
    replicateable=False,
)

_ORGANIZATION = SObject(
    "Organization",
    "Organizations",
    "00D",
    (
        *stamps(deletable=False),
        text("Name", 80, nillable=False, title=True),
        text("Division", 80),
        *address(""),
        phone("Phone"),
        phone("Fax"),
        text("PrimaryContact", 80),
        pick("DefaultLocaleSidKey", "en_US|de_DE"),
        pick("TimeZoneSidKey", "Europe/Berlin|UTC"),
        pick("LanguageLocaleKey", "en_US|de"),
        whole("FiscalYearStartMonth"),
        pick("OrganizationType", "Enterprise Edition|Developer Edition", **fixed()),
        text("InstanceName", 5, **fixed()),
        check("IsSandbox", **fixed()),
        text("NamespacePrefix", 15, **fixed()),
    ),
    createable=False,
    deletable=False,
    undeletable=False,
    replicateable=False,
)

PEOPLE = (_USER, _PROFILE, _GROUP, _ORGANIZATION)
