"""Consent and privacy: what people allowed, by which way, and what they asked us to do."""

from crmtrail.sandbox.salesforce.fields import (
    Field,
    check,
    day,
    email,
    fixed,
    moment,
    owner,
    phone,
    pick,
    ref,
    stamps,
    text,
)
from crmtrail.sandbox.salesforce.objects_history import history
from crmtrail.sandbox.salesforce.schema import SObject

_STATUSES = "NotSeen|Seen|OptIn|OptOut"
_TYPES = "Email|Phone|MailingAddress|Social|Web"
_SOURCES = "Web|Phone|Email|Paper|API"


def _consent(*own: Field) -> tuple[Field, ...]:
    """Make the fields that every record of consent has."""
    return (
        *stamps(),
        owner(),
        text("Name", 255, nillable=False, title=True),
        *own,
        pick("PrivacyConsentStatus", _STATUSES, restricted=True),
        moment("CaptureDate"),
        pick("CaptureContactPointType", _TYPES),
        pick("CaptureSource", _SOURCES),
        moment("EffectiveFrom"),
        moment("EffectiveTo"),
        moment("DoubleConsentCaptureDate"),
    )


_INDIVIDUAL = SObject(
    "Individual",
    "Individuals",
    "0PK",
    (
        *stamps(),
        owner(),
        text("LastName", 80, nillable=False, compound="Name"),
        text("FirstName", 40, compound="Name"),
        pick("Salutation", "Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.", compound="Name"),
        text("Name", 121, title=True,
             formula="TRIM(COALESCE(\"FirstName\"||' ','')||\"LastName\")", **fixed()),
        ref("MasterRecordId", "Individual", **fixed()),
        *(check(name) for name in (
            "HasOptedOutProcessing", "HasOptedOutProfiling", "HasOptedOutTracking",
            "HasOptedOutGeoTracking", "HasOptedOutSolicit", "ShouldForget", "SendIndividualData",
            "CanStorePiiElsewhere")),
        day("BirthDate"),
        pick("IndividualsAge", "13 or Older|16 or Older|18 or Older"),
    ),
    mergeable=True,
    history="IndividualHistory",
    parent_key="IndividualId",
    tracked=frozenset(
        {"HasOptedOutProcessing", "HasOptedOutSolicit", "ShouldForget", "SendIndividualData"}
    ),
)  # fmt: skip

_BY_TYPE = SObject(
    "ContactPointTypeConsent",
    "Contact Point Type Consents",
    "0ZX",
    _consent(
        ref("PartyId", "Individual", nillable=False, children="ContactPointTypeConsents",
            on_delete="cascade"),
        pick("ContactPointType", _TYPES, nillable=False),
        ref("DataUsePurposeId", "DataUsePurpose"),
    ),
    label="Contact Point Type Consent",
    history="ContactPointTypeConsentHistory",
    parent_key="ContactPointTypeConsentId",
    tracked=frozenset({"PrivacyConsentStatus", "CaptureSource", "EffectiveTo"}),
)  # fmt: skip

_BY_POINT = SObject(
    "ContactPointConsent",
    "Contact Point Consents",
    "0ZY",
    _consent(
        ref("ContactPointId", "ContactPointEmail|ContactPointPhone", nillable=False,
            children="ContactPointConsents", on_delete="cascade"),
        ref("DataUsePurposeId", "DataUsePurpose"),
    ),
    label="Contact Point Consent",
    history="ContactPointConsentHistory",
    parent_key="ContactPointConsentId",
    tracked=frozenset({"PrivacyConsentStatus"}),
)  # fmt: skip


def _point(name: str, prefix: str, *own: Field) -> SObject:
    return SObject(
        name,
        name.replace("Contact", "Contact ").replace("Point", "Point ") + "s",
        prefix,
        (
            *stamps(),
            owner(),
            ref("ParentId", "Account|Individual", children=f"{name}s", on_delete="cascade"),
            *own,
            moment("ActiveFromDate"),
            moment("ActiveToDate"),
            check("IsPrimary"),
        ),
    )


_EMAIL = _point("ContactPointEmail", "9Vl", email("EmailAddress", nillable=False, title=True))
_PHONE = _point(
    "ContactPointPhone", "9Vm", text("TelephoneNumber", 40, nillable=False, title=True),
    phone("FormattedInternationalPhoneNumber"), check("IsSmsCapable"),
)  # fmt: skip

_PURPOSE = SObject(
    "DataUsePurpose",
    "Data Use Purposes",
    "0ZW",
    (*stamps(), owner(), text("Name", 255, nillable=False, title=True), text("Description", 255)),
    label="Data Use Purpose",
)

_SUBSCRIPTION = SObject(
    "CommSubscription",
    "Communication Subscriptions",
    "0Xl",
    (
        *stamps(),
        owner(),
        text("Name", 255, nillable=False, title=True),
        ref("DataUsePurposeId", "DataUsePurpose"),
    ),
    label="Communication Subscription",
)

_SUBSCRIBED = SObject(
    "CommSubscriptionConsent",
    "Communication Subscription Consents",
    "0dY",
    _consent(
        ref("CommSubscriptionId", "CommSubscription", nillable=False,
            children="CommSubscriptionConsents", on_delete="cascade"),
        ref("ConsentGiverId", "Contact|Individual|Lead", nillable=False),
        ref("ContactPointId", "ContactPointEmail|ContactPointPhone"),
        moment("ConsentCapturedDateTime"),
        pick("ConsentCapturedSource", _SOURCES),
        day("EffectiveFromDate"),
    ),
    label="Communication Subscription Consent",
)  # fmt: skip

_FORM = SObject(
    "AuthorizationFormConsent",
    "Authorization Form Consents",
    "0cA",
    (
        *stamps(),
        owner(),
        text("Name", 255, nillable=False, title=True),
        ref("ConsentGiverId", "Account|Contact|Individual|Lead", nillable=False),
        text("AuthorizationFormTextId", 18),
        moment("ConsentCapturedDateTime"),
        pick("ConsentCapturedSource", _SOURCES),
        pick("ConsentCapturedSourceType", "Phone|Email|Web|Signed"),
        pick("Status", "Seen|Signed|Rejected", restricted=True),
    ),
    label="Authorization Form Consent",
)

_PARTY = SObject(
    "PartyConsent",
    "Party Consents",
    "0xB",
    _consent(
        ref("PartyId", "Account|Contact|Individual|Lead", nillable=False),
        pick("Action", "Processing|Profiling|Solicit|Tracking|ShouldForget"),
        ref("DataUsePurposeId", "DataUsePurpose"),
    ),
    label="Party Consent",
)


def _request(name: str, prefix: str, *own: Field) -> SObject:
    return SObject(
        name,
        f"{name}s",
        prefix,
        (
            *stamps(),
            owner(),
            text("Name", 255, numbering="PR-{:06}", title=True, **fixed(nillable=False)),
            ref("DataSubjectId", "Contact|Individual|Lead"),
            *own,
            pick("Status", "Submitted|In Progress|Completed|Failed|Canceled", defaulted=True,
                 default="Submitted"),
            moment("RequestedDate"),
            moment("CompletedDate"),
        ),
    )  # fmt: skip


_ASKED = _request(
    "PrivacyRequest", "0PR", pick("RequestType", "Portability|RightToBeForgotten|Consent")
)
_FORGET = _request("PrivacyRTBFRequest", "0PT", pick("DeletionStatus", "Pending|Deleted|Refused"))

CONSENT = (
    _INDIVIDUAL, _BY_TYPE, _BY_POINT, _EMAIL, _PHONE, _PURPOSE, _SUBSCRIPTION, _SUBSCRIBED, _FORM,
    _PARTY, _ASKED, _FORGET,
    history("IndividualHistory", "Individual", "0ph"),
    history("ContactPointTypeConsentHistory", "ContactPointTypeConsent", "0zx"),
    history("ContactPointConsentHistory", "ContactPointConsent", "0zy"),
)  # fmt: skip
