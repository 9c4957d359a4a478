"""Groups of trail objects: what the org keeps about itself, by the names of the config.

An org has only some of them: others need a licence, a package or a permission. What is not there
is a stated gap and no failure. Names: Object Reference of the Salesforce Platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.salesforce.answers import Refusal
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.model import Gap, Page


@dataclass(frozen=True, slots=True)
class Group:
    """Objects that belong together. ``needs`` says what an identity must have to read them.

    ``ending``: objects of the org with such a name belong to the group too.
    """

    members: tuple[str, ...]
    needs: str
    ending: str = ""


GROUPS: Final[Mapping[str, Group]] = {
    "logins": Group(
        ("LoginHistory", "LoginGeo", "LoginIp", "AuthSession", "VerificationHistory"),
        "the permission Manage Users",
    ),
    "setup": Group(("SetupAuditTrail",), "the permission View Setup and Configuration"),
    "permissions": Group(
        (
            "User",
            "UserLogin",
            "UserRole",
            "Profile",
            "PermissionSet",
            "PermissionSetGroup",
            "PermissionSetGroupComponent",
            "MutingPermissionSet",
            "PermissionSetAssignment",
            "ObjectPermissions",
            "FieldPermissions",
            "SetupEntityAccess",
            "Group",
            "GroupMember",
        ),
        "the permission View Setup and Configuration",
    ),
    "approvals": Group(
        (
            "ProcessDefinition",
            "ProcessInstance",
            "ProcessInstanceStep",
            "ProcessInstanceWorkitem",
            "ProcessInstanceNode",
            "ApprovalSubmission",
            "ApprovalWorkItem",
            "ApprovalSubmissionDetail",
            "sbaa__Approval__c",
        ),
        "View All Data, and for some of them flow approvals or Advanced Approvals in the org",
    ),
    "discounts": Group(
        (
            "Opportunity",
            "OpportunityLineItem",
            "Quote",
            "QuoteLineItem",
            "Product2",
            "Pricebook2",
            "PricebookEntry",
            "SBQQ__Quote__c",
            "SBQQ__QuoteLine__c",
        ),
        "View All Data, and for some of them quotes or Salesforce CPQ in the org",
    ),
    "consent": Group(
        (
            "Individual",
            "ContactPointEmail",
            "ContactPointPhone",
            "ContactPointConsent",
            "ContactPointTypeConsent",
            "CommSubscriptionConsent",
            "AuthorizationFormConsent",
            "PartyConsent",
            "PrivacyRequest",
            "PrivacyRTBFRequest",
        ),
        "View All Data, and Data Protection and Privacy turned on in the org",
    ),
    "files": Group(
        ("ContentDocument", "ContentVersion", "ContentDocumentLink", "Attachment"),
        "the permissions View All Data and Query All Files",
    ),
    "events": Group(
        (
            "EventLogFile",
            "EventLogLine",
            "ApiEvent",
            "BulkApiResultEventStore",
            "FileEventStore",
            "LightningUriEvent",
            "ListViewEvent",
            "LoginAsEvent",
            "LoginEvent",
            "PermissionSetEventStore",
            "ReportEvent",
            "UriEvent",
        ),
        "View Event Log Files for EventLogFile, and for the others the Event Monitoring licence "
        "with View Real-Time Event Monitoring Data or View Event Log Object Data",
        ending="EventLog",
    ),
}


FADING: Final = frozenset((*GROUPS["logins"].members, *GROUPS["setup"].members, "EventLogFile"))
"""Logs of which Salesforce keeps days or months: what it drops has not vanished (section 11.1)."""


def group_of(name: str) -> Group:
    """Return a group by its name.

    Raises:
        Mistake: there is none of this name.
    """
    if name not in GROUPS:
        known = ", ".join(f"@{one}" for one in GROUPS)
        raise Mistake(f"Salesforce has no group @{name}", hint=f"there are {known}")
    return GROUPS[name]


def groups_of(wanted: Sequence[str], object_: str) -> Sequence[Group]:
    """Return the groups through which the config asks for an object; none where it names it."""
    if object_ in wanted:
        return ()
    named = [GROUPS[one[1:]] for one in wanted if one.startswith("@") and one[1:] in GROUPS]
    return [
        group
        for group in named
        if object_ in group.members or (group.ending and object_.endswith(group.ending))
    ]


def absent(object_: str, groups: Sequence[Group]) -> str:
    """Say that an org shows no such object, and what it would take."""
    needs = groups[0].needs if groups else "View All Data"
    return f"{object_} is not in this org, or this identity may not see it: it takes {needs}"


def refused(object_: str, groups: Sequence[Group], error: CrmtrailError) -> str:
    """Say that Salesforce does not give out an object's records, in its own words."""
    code = error.code if isinstance(error, Refusal) else ""
    why = f"{code}, {error.told}" if isinstance(error, Refusal) and error.told else code
    needs = groups[0].needs if groups else "View All Data"
    told = why or str(error)
    return f"{object_} cannot be read by this identity ({told}): it takes {needs}"


def untold(object_: str, cursor: str, since: datetime | None, why: str) -> Page:
    """Return the one page of an object that is not there: a gap, and the cursor as it was."""
    return Page(object_, cursor, done=True, gaps=[Gap(object_, since, None, why, whole=True)])
