"""The options of the seeded enumeration properties and the pipelines of a fresh portal."""

from typing import Any

from crmtrail.sandbox.hubspot.definitions_activities import OPTIONS

STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
RENEWALS = (
    ("1043001", "Renewal Due", "0.5"),
    ("1043002", "Terms Agreed", "0.8"),
    ("1043003", "Renewed", "1.0"),
    ("1043004", "Churned", "0.0"),
)
TICKET_STAGES = (
    ("1", "New", "OPEN"),
    ("2", "Waiting on contact", "OPEN"),
    ("3", "Waiting on us", "OPEN"),
    ("4", "Closed", "CLOSED"),
)

LIFECYCLE = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
"""Lifecycle stages in their order; the API moves a record forward only."""

_LABELLED: dict[str, tuple[tuple[str, str], ...]] = {
    "bool": (("true", "Yes"), ("false", "No")),
    "lifecycle": (
        ("subscriber", "Subscriber"),
        ("lead", "Lead"),
        ("marketingqualifiedlead", "Marketing Qualified Lead"),
        ("salesqualifiedlead", "Sales Qualified Lead"),
        ("opportunity", "Opportunity"),
        ("customer", "Customer"),
        ("evangelist", "Evangelist"),
        ("other", "Other"),
    ),
    "legal_basis": tuple(
        (text, text)
        for text in (
            "Legitimate interest \u2013 prospect/lead",
            "Legitimate interest \u2013 existing customer",
            "Performance of a contract",
            "Freely given consent from contact",
            "Not applicable",
        )
    ),
    "deal_type": (("newbusiness", "New Business"), ("existingbusiness", "Existing Business")),
    "priority": (("low", "Low"), ("medium", "Medium"), ("high", "High")),
    "ticket_priority": (("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High")),
    "tier": (
        ("bronze", "Bronze"),
        ("silver", "Silver"),
        ("gold", "Gold"),
        ("platinum", "Platinum"),
    ),
    "language": (("en", "English"), ("de", "German"), ("fr", "French"), ("es", "Spanish")),
    "dealstage": tuple((id_, label) for id_, label, _ in STAGES + RENEWALS),
    "deal_pipeline": (("default", "Sales Pipeline"), ("1043000", "Renewals")),
    "ticket_pipeline": (("0", "Support Pipeline"),),
    "ticket_stage": tuple((id_, label) for id_, label, _ in TICKET_STAGES),
    "interests": (
        ("analytics", "Analytics"),
        ("automation", "Automation"),
        ("compliance", "Compliance"),
        ("integration", "Integration"),
        ("reporting", "Reporting"),
    ),
}

_PLAIN: dict[str, tuple[str, ...]] = {
    "lead_status": (
        "NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT",
        "CONNECTED", "BAD_TIMING",
    ),
    "source": (
        "ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "SOCIAL_MEDIA", "REFERRALS",
        "OTHER_CAMPAIGNS",        "DIRECT_TRAFFIC", "OFFLINE", "PAID_SOCIAL",
    ),
    "industry": (
        "ACCOUNTING", "AUTOMOTIVE", "BANKING", "BIOTECHNOLOGY", "CHEMICALS", "COMPUTER_SOFTWARE",
        "CONSTRUCTION", "EDUCATION_MANAGEMENT", "FINANCIAL_SERVICES", "FOOD_PRODUCTION",
        "HOSPITAL_HEALTH_CARE", "INSURANCE", "LOGISTICS_AND_SUPPLY_CHAIN", "MACHINERY",
        "RENEWABLES_ENVIRONMENT", "RETAIL", "TELECOMMUNICATIONS",
        "TRANSPORTATION_TRUCKING_RAILROAD",
    ),
    "company_type": ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"),
    "forecast": ("OMIT", "PIPELINE", "BEST_CASE", "COMMIT", "CLOSED"),
    "currency": ("USD", "EUR", "GBP"),
    "billing": ("weekly", "monthly", "quarterly", "per_six_months", "annually"),
    "quote_status": (
        "DRAFT", "APPROVAL_NOT_NEEDED", "PENDING_APPROVAL", "APPROVED", "REJECTED",
    ),
    "ticket_category": ("PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST", "GENERAL_INQUIRY"),
    "reason": ("volume", "competitor", "loyalty", "multi_year", "end_of_quarter"),
    **OPTIONS,
}  # fmt: skip


def options(name: str) -> list[dict[str, Any]]:
    """Return the options of a set, as a property definition lists them."""
    pairs = _LABELLED.get(name) or tuple(
        (value, value.replace("_", " ").capitalize()) for value in _PLAIN[name]
    )
    return [
        {"label": label, "value": value, "displayOrder": order, "hidden": False}
        for order, (value, label) in enumerate(pairs)
    ]


def values(name: str) -> tuple[str, ...]:
    """Return only the values of a set."""
    return tuple(str(option["value"]) for option in options(name))
