"""The properties of leads, of what people do (calls to tasks) and of the portal's own object.

Rows are as in `definitions`. Leads have no pipeline here: their stages are options.
"""

_STAMPS = """
hs_createdate    | Object create date/time | datetime date      | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
"""
_ACTIVITY = """
hs_timestamp     | Activity date         | datetime date        | {group} |
hs_attachment_ids | Attached file IDs    | string text          | {group} |
hs_body_preview  | Body preview          | string text          | {group} | calc
hs_body_preview_html | Body preview (HTML) | string html        | {group} | calc
"""

_LEADS = """
hs_lead_name     | Lead Name             | string text          | {group} |
hs_lead_type     | Lead Type             | enumeration select   | {group} | =lead_type
hs_lead_label    | Lead Label            | enumeration select   | {group} | =lead_label
hs_pipeline_stage | Lead stage           | enumeration radio    | {group} | =lead_stage
hs_lead_source   | Lead source           | string text          | {group} |
"""
_CALLS = """
hs_call_title    | Call title            | string text          | {group} |
hs_call_body     | Call notes            | string html          | {group} |
hs_call_duration | Call duration (ms)    | number number        | {group} |
hs_call_direction | Call direction       | enumeration select   | {group} | =call_direction
hs_call_disposition | Call outcome       | string text          | {group} |
hs_call_from_number | From number        | string phonenumber   | {group} |
hs_call_to_number | To number            | string phonenumber   | {group} |
hs_call_status   | Call status           | enumeration select   | {group} | =call_status
"""
_EMAILS = """
hs_email_subject | Email subject         | string text          | {group} |
hs_email_text    | Email body            | string textarea      | {group} |
hs_email_html    | Email body (HTML)     | string html          | {group} |
hs_email_direction | Email direction     | enumeration select   | {group} | =email_direction
hs_email_status  | Email send status     | enumeration select   | {group} | =email_status
hs_email_from_email | Email from address | string text          | {group} |
hs_email_to_email | Email to address     | string text          | {group} |
"""
_MEETINGS = """
hs_meeting_title | Meeting name          | string text          | {group} |
hs_meeting_body  | Meeting description   | string html          | {group} |
hs_internal_meeting_notes | Internal notes | string html        | {group} |
hs_meeting_start_time | Start time       | datetime date        | {group} |
hs_meeting_end_time | End time           | datetime date        | {group} |
hs_meeting_outcome | Meeting outcome     | enumeration select   | {group} | =meeting_outcome
"""
_NOTES = """
hs_note_body     | Note body             | string html          | {group} |
"""
_TASKS = """
hs_task_subject  | Task title            | string text          | {group} |
hs_task_body     | Task notes            | string html          | {group} |
hs_task_status   | Task status           | enumeration radio    | {group} | =task_status
hs_task_priority | Priority              | enumeration radio    | {group} | =task_priority
hs_task_type     | Task type             | enumeration radio    | {group} | =task_type
"""
_SERVICE_PLANS = """
plan_name        | Plan name             | string text          | {group} | custom
plan_code        | Plan code             | string text          | {group} | custom unique
plan_hours       | Hours a month         | number number        | {group} | custom
plan_tier        | Plan tier             | enumeration select   | {group} | custom =tier
plan_started     | Started on            | date date            | {group} | custom
"""

BODIES = {
    "calls": "hs_call_body",
    "emails": "hs_email_html",
    "meetings": "hs_meeting_body",
    "notes": "hs_note_body",
    "tasks": "hs_task_body",
}
"""Which property holds the body of what people do."""

UNFILTERED = frozenset({"hs_email_html", "hs_body_preview_html"})
"""Properties that a search takes no filter on."""

ACTIVITIES = {
    "leads": ("lead_information", _LEADS + _STAMPS),
    "calls": ("call", _CALLS + _ACTIVITY + _STAMPS),
    "emails": ("email", _EMAILS + _ACTIVITY + _STAMPS),
    "meetings": ("meeting", _MEETINGS + _ACTIVITY + _STAMPS),
    "notes": ("note", _NOTES + _ACTIVITY + _STAMPS),
    "tasks": ("task", _TASKS + _ACTIVITY + _STAMPS),
    "service_plans": ("service_plan_information", _SERVICE_PLANS + _STAMPS),
}
"""Group name and property table by object type."""

OPTIONS = {
    "lead_type": ("NEW_BUSINESS", "RE_ATTEMPTING", "UPSELL"),
    "lead_label": ("HOT", "WARM", "COLD"),
    "lead_stage": (
        "new-stage-id",
        "attempting-stage-id",
        "connected-stage-id",
        "qualified-stage-id",
        "unqualified-stage-id",
    ),
    "call_direction": ("INBOUND", "OUTBOUND"),
    "call_status": ("BUSY", "CANCELED", "COMPLETED", "FAILED", "NO_ANSWER", "QUEUED"),
    "email_direction": ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    "email_status": ("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"),
    "meeting_outcome": ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
    "task_status": ("NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"),
    "task_priority": ("NONE", "LOW", "MEDIUM", "HIGH"),
    "task_type": ("TODO", "CALL", "EMAIL"),
}
"""The values of their enumerations."""
