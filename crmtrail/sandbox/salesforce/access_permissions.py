"""What people may do: permission sets and their parts, roles, groups, frozen logins."""

from typing import Any

from crmtrail.sandbox.salesforce.fields import Field, check, fixed, moment, pick, ref, stamps, text
from crmtrail.sandbox.salesforce.objects_access import row_id, written_by_org
from crmtrail.sandbox.salesforce.schema import SObject

_NAMES = """AccessCMC ActivateContract ActivateOrder ApexRestServices ApiEnabled ApiUserOnly
    AssignPermissionSets AuthorApex BulkApiHardDelete BulkMacrosAllowed ConvertLeads
    CreateCustomizeReports CustomizeApplication DataExport DelegatedTwoFactor EditReadonlyFields
    EditTask EmailMass ExportReport ForceTwoFactor ImportLeads InstallPackaging ManageAuthProviders
    ManageDashboards ManageDataIntegrations ManageEncryptionKeys ManageInternalUsers
    ManageIpAddresses ManagePasswordPolicies ManageProfilesPermissionsets ManageRoles
    ManageSessionPermissionSets ManageSharing ManageUsers MassInlineEdit ModifyAllData
    ModifyMetadata MonitorLoginHistory PasswordNeverExpires PrivacyDataAccess QueryAllFiles
    ResetPasswords RunReports TransferAnyEntity TransferAnyLead UseAnyApiAuth ViewAllData
    ViewAllUsers ViewDataCategories ViewEncryptedData ViewEventLogFiles ViewSetup"""
RIGHTS = tuple(_NAMES.split())
"""System permissions: each is a boolean ``Permissions<name>`` of permission sets."""


def rights() -> tuple[Field, ...]:
    """Make one checkbox for each system permission."""
    return tuple(check(f"Permissions{name}") for name in RIGHTS)


_ONLY_ONCE: dict[str, Any] = {"nillable": False, "updateable": False}
_STAMP = moment("SystemModstamp", **fixed(nillable=False, defaulted=True))
_KEPT: dict[str, Any] = {"undeletable": False, "replicateable": False}
"""Setup objects: what is deleted is gone at once, and no feed tells of it."""

_SET = SObject(
    "PermissionSet",
    "Permission Sets",
    "0PS",
    (
        *stamps(deletable=False),
        text("Name", 80, nillable=False, title=True),
        text("Label", 80, nillable=False),
        text("LicenseId", 18, updateable=False),
        ref("ProfileId", "Profile", **fixed()),
        check("IsOwnedByProfile", **fixed()),
        check("IsCustom", **fixed(default=1)),
        text("Description", 255),
        text("NamespacePrefix", 15, **fixed()),
        check("HasActivationRequired"),
        ref("PermissionSetGroupId", "PermissionSetGroup", **fixed()),
        pick("Type", "Regular|Standard|Session|Profile|Group", **fixed()),
        *rights(),
    ),
    label="Permission Set",
    **_KEPT,
)

_GROUP = SObject(
    "PermissionSetGroup",
    "Permission Set Groups",
    "0PG",
    (
        *stamps(),
        text("DeveloperName", 80, nillable=False),
        text("MasterLabel", 80, nillable=False, title=True),
        pick("Language", "en_US|de", defaulted=True),
        text("NamespacePrefix", 15, **fixed()),
        text("Description", 255),
        pick("Status", "Updated|Outdated|Updating|Failed", defaulted=True, default="Updated"),
        check("HasActivationRequired"),
    ),
    label="Permission Set Group",
    **_KEPT,
)

_COMPONENT = SObject(
    "PermissionSetGroupComponent",
    "Permission Set Group Components",
    "0PH",
    (
        *stamps(),
        ref("PermissionSetGroupId", "PermissionSetGroup", children="PermissionSetGroupComponents",
            on_delete="cascade", **_ONLY_ONCE),
        ref("PermissionSetId", "PermissionSet|MutingPermissionSet", on_delete="cascade",
            **_ONLY_ONCE),
    ),
    label="Permission Set Group Component",
    updateable=False,
    **_KEPT,
)  # fmt: skip

_MUTING = SObject(
    "MutingPermissionSet",
    "Muting Permission Sets",
    "0QM",
    (
        *stamps(),
        text("DeveloperName", 80, nillable=False),
        text("MasterLabel", 80, nillable=False, title=True),
        pick("Language", "en_US|de", defaulted=True),
        text("NamespacePrefix", 15, **fixed()),
        text("Description", 255),
        *rights(),
    ),
    label="Muting Permission Set",
    **_KEPT,
)

_ASSIGNMENT = SObject(
    "PermissionSetAssignment",
    "Permission Set Assignments",
    "0Pa",
    (
        row_id(),
        ref("PermissionSetId", "PermissionSet", nillable=False, updateable=False,
            children="Assignments", on_delete="cascade"),
        ref("PermissionSetGroupId", "PermissionSetGroup", updateable=False,
            children="Assignments", on_delete="cascade"),
        ref("AssigneeId", "User", children="PermissionSetAssignments", **_ONLY_ONCE),
        moment("ExpirationDate"),
        check("IsActive", **fixed(default=1)),
        check("IsRevoked", **fixed()),
        _STAMP,
    ),
    label="Permission Set Assignment",
    **_KEPT,
)  # fmt: skip

_OBJECT = SObject(
    "ObjectPermissions",
    "Object Permissions",
    "110",
    (
        *stamps(deletable=False),
        ref("ParentId", "PermissionSet", children="ObjectPerms", on_delete="cascade",
            **_ONLY_ONCE),
        text("SobjectType", 40, **_ONLY_ONCE),
        *(check(f"Permissions{name}") for name in (
            "Create", "Read", "Edit", "Delete", "ViewAllRecords", "ModifyAllRecords",
            "ViewAllFields")),
    ),
    label="Object Permissions",
    **_KEPT,
)  # fmt: skip

_FIELD = SObject(
    "FieldPermissions",
    "Field Permissions",
    "01k",
    (
        row_id(),
        ref("ParentId", "PermissionSet", children="FieldPerms", on_delete="cascade",
            **_ONLY_ONCE),
        text("SobjectType", 40, **_ONLY_ONCE),
        text("Field", 255, **_ONLY_ONCE),
        check("PermissionsRead"),
        check("PermissionsEdit"),
        _STAMP,
    ),
    label="Field Permissions",
    **_KEPT,
)  # fmt: skip

_ENTITY = SObject(
    "SetupEntityAccess",
    "Setup Entity Access",
    "0J0",
    (
        row_id(),
        ref("ParentId", "PermissionSet", children="SetupEntityAccessItems", on_delete="cascade",
            **_ONLY_ONCE),
        text("SetupEntityId", 18, **_ONLY_ONCE),
        pick("SetupEntityType", "ApexClass|ApexPage|ConnectedApplication|CustomPermission|TabSet",
             **fixed()),
        _STAMP,
    ),
    label="Setup Entity Access",
    updateable=False,
    **_KEPT,
)  # fmt: skip

_ROLE = SObject(
    "UserRole",
    "Roles",
    "00E",
    (
        row_id(),
        text("Name", 80, nillable=False, title=True),
        ref("ParentRoleId", "UserRole", children="SubRoles"),
        text("RollupDescription", 80),
        pick("OpportunityAccessForAccountOwner", "None|Read|Edit", nillable=False, defaulted=True,
             default="Edit"),
        pick("ContactAccessForAccountOwner", "None|Read|Edit", defaulted=True),
        ref("ForecastUserId", "User", **fixed()),
        check("MayForecastManagerShare", **fixed()),
        moment("LastModifiedDate", **fixed(nillable=False, defaulted=True)),
        ref("LastModifiedById", "User", **fixed(nillable=False, defaulted=True)),
        _STAMP,
        text("DeveloperName", 80),
    ),
    label="Role",
    **_KEPT,
)  # fmt: skip

_MEMBER = SObject(
    "GroupMember",
    "Group Members",
    "011",
    (
        row_id(),
        ref("GroupId", "Group", children="GroupMembers", on_delete="cascade", **_ONLY_ONCE),
        ref("UserOrGroupId", "Group|User", **_ONLY_ONCE),
        _STAMP,
    ),
    label="Group Member",
    updateable=False,
    **_KEPT,
)

_LOGIN = written_by_org(
    "UserLogin",
    "User Logins",
    "0Yw",
    (
        row_id(),
        ref("UserId", "User", **fixed(nillable=False)),
        check("IsFrozen", createable=False),
        check("IsPasswordLocked", createable=False),
        moment("LastModifiedDate", **fixed(nillable=False, defaulted=True)),
        ref("LastModifiedById", "User", **fixed(nillable=False, defaulted=True)),
    ),
    label="User Login",
    updateable=True,
)

PERMISSIONS = (
    _SET, _GROUP, _COMPONENT, _MUTING, _ASSIGNMENT, _OBJECT, _FIELD, _ENTITY, _ROLE, _MEMBER,
    _LOGIN,
)  # fmt: skip
