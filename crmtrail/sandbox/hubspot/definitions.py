"""The properties of a fresh portal, one line each: name | label | type field | group | flags.

Flags: ``ro`` read only, ``calc`` calculated, ``unique``, ``owner`` (options are the owners),
``custom``, ``sensitive``, ``archived``, ``=set`` (options, see options.py).
"""

from crmtrail.sandbox.hubspot.definitions_activities import ACTIVITIES

_SYSTEM = """
hs_object_id            | Record ID                | number number      | {group} | ro unique
hs_object_source        | Record source            | string text        | {group} | ro
hs_object_source_id     | Record source ID         | string text        | {group} | ro
hs_object_source_label  | Record source label      | string text        | {group} | ro
hs_created_by_user_id   | Created by user ID       | number number      | {group} | ro
hs_updated_by_user_id   | Updated by user ID       | number number      | {group} | ro
hs_merged_object_ids    | Merged record IDs        | enumeration checkbox | {group} | ro
hubspot_owner_id        | Owner                    | enumeration select | {group} | owner
"""

_CONTACTS = """
email            | Email                 | string text          | {group} | unique
firstname        | First Name            | string text          | {group} |
lastname         | Last Name             | string text          | {group} |
phone            | Phone Number          | string phonenumber   | {group} |
mobilephone      | Mobile Phone Number   | string phonenumber   | {group} |
company          | Company Name          | string text          | {group} |
jobtitle         | Job Title             | string text          | {group} |
website          | Website URL           | string text          | {group} |
address          | Street Address        | string text          | {group} |
city             | City                  | string text          | {group} |
state            | State/Region          | string text          | {group} |
zip              | Postal Code           | string text          | {group} |
country          | Country/Region        | string text          | {group} |
lifecyclestage   | Lifecycle Stage       | enumeration radio    | {group} | =lifecycle
hs_lead_status   | Lead Status           | enumeration radio    | {group} | =lead_status
industry         | Industry              | string text          | {group} |
annualrevenue    | Annual Revenue        | number number        | {group} |
numemployees     | Number of Employees   | number number        | {group} |
hs_language      | Preferred language    | enumeration select   | {group} | =language
message          | Message               | string textarea      | {group} |
createdate       | Create Date           | datetime date        | {group} | ro
lastmodifieddate | Last Modified Date    | datetime date        | {group} | ro
notes_last_contacted | Last Contacted    | datetime date        | {group} | ro
num_notes        | Number of Sales Activities | number number   | {group} | ro
hs_analytics_source | Original Traffic Source | enumeration select | webanalytics | ro =source
hs_email_optout  | Unsubscribed from all email | bool booleancheckbox | emailinformation | =bool
hs_legal_basis   | Legal basis for processing data | enumeration checkbox | {group} | =legal_basis
hs_marketable_status | Marketing contact status | bool booleancheckbox | {group} | ro =bool
hs_additional_emails | Additional email addresses | enumeration checkbox | {group} | ro
hs_full_name_or_email | Full name or email | string calculation_equation | {group} | calc
hs_email_domain  | Email Domain          | string text          | emailinformation | calc
hs_searchable_calculated_phone_number | Calculated Phone Number | string text | {group} | calc
num_associated_deals | Associated Deals | number calculation_rollup | dealinformation | calc
hs_calculated_merged_vids | Merged vids with timestamps | enumeration checkbox | {group} | calc
customer_tier    | Customer tier         | enumeration select   | accountcare | custom =tier
customer_number  | Customer number       | string text          | accountcare | custom unique
contract_signed_on | Contract signed on  | date date            | accountcare | custom
credit_score     | Credit score          | number number        | accountcare | custom
vip              | VIP                   | bool booleancheckbox | accountcare | custom =bool
interests        | Interests             | enumeration checkbox | accountcare | custom =interests
tax_number       | Tax number            | string text          | accountcare | custom sensitive
fax_extension    | Fax extension         | string text          | accountcare | custom archived
"""

_COMPANIES = """
name             | Company name          | string text          | {group} |
domain           | Company Domain Name   | string text          | {group} |
website          | Website URL           | string text          | {group} |
phone            | Phone Number          | string phonenumber   | {group} |
industry         | Industry              | enumeration select   | {group} | =industry
type             | Type                  | enumeration select   | {group} | =company_type
numberofemployees | Number of Employees  | number number        | {group} |
annualrevenue    | Annual Revenue        | number number        | {group} |
address          | Street Address        | string text          | {group} |
city             | City                  | string text          | {group} |
state            | State/Region          | string text          | {group} |
zip              | Postal Code           | string text          | {group} |
country          | Country/Region        | string text          | {group} |
founded_year     | Year Founded          | string text          | {group} |
description      | Description           | string textarea      | {group} |
lifecyclestage   | Lifecycle Stage       | enumeration radio    | {group} | =lifecycle
createdate       | Create Date           | datetime date        | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
num_associated_contacts | Number of Associated Contacts | number calculation_rollup | {group} | calc
num_associated_deals | Number of Associated Deals | number calculation_rollup | {group} | calc
customer_tier    | Customer tier         | enumeration select   | accountcare | custom =tier
"""

_DEALS = """
dealname         | Deal Name             | string text          | {group} |
amount           | Amount                | number number        | {group} |
closedate        | Close Date            | datetime date        | {group} |
pipeline         | Pipeline              | enumeration select   | {group} | =deal_pipeline
dealstage        | Deal Stage            | enumeration radio    | {group} | =dealstage
dealtype         | Deal Type             | enumeration radio    | {group} | =deal_type
description      | Deal Description      | string textarea      | {group} |
hs_priority      | Priority              | enumeration select   | {group} | =priority
hs_next_step     | Next step             | string textarea      | {group} |
deal_currency_code | Currency            | enumeration select   | {group} | =currency
hs_manual_forecast_category | Forecast category | enumeration select | {group} | =forecast
closed_lost_reason | Closed Lost Reason  | string textarea      | {group} |
closed_won_reason | Closed Won Reason    | string textarea      | {group} |
createdate       | Create Date           | datetime date        | {group} |
hs_createdate    | Object create date/time | datetime date      | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
hs_deal_stage_probability | Deal probability | number calculation_equation | {group} | calc
hs_is_closed     | Is Closed             | bool calculation_equation | {group} | calc =bool
hs_is_closed_won | Is Closed Won         | bool calculation_equation | {group} | calc =bool
hs_projected_amount | Weighted amount    | number calculation_equation | {group} | calc
hs_closed_amount | Closed Deal Amount    | number calculation_equation | {group} | calc
days_to_close    | Days to close         | number calculation_equation | {group} | calc
hs_num_of_associated_line_items | Associated Line Items | number calculation_rollup | {group} | calc
num_associated_contacts | Number of Associated Contacts | number calculation_rollup | {group} | calc
discount_reason  | Discount reason       | enumeration select   | accountcare | custom =reason
contract_months  | Contract months       | number number        | accountcare | custom
signed_on        | Signed on             | date date            | accountcare | custom
"""

_LINE_ITEMS = """
name             | Name                  | string text          | {group} |
hs_product_id    | Product ID            | number number        | {group} |
hs_sku           | SKU                   | string text          | {group} |
description      | Description           | string textarea      | {group} |
quantity         | Quantity              | number number        | {group} |
price            | Unit price            | number number        | {group} |
discount         | Unit discount         | number number        | {group} |
hs_discount_percentage | Discount percentage | number number    | {group} |
hs_pre_discount_amount | Pre discount amount | number calculation_equation | {group} | calc
hs_total_discount | Total discount       | number calculation_equation | {group} | calc
hs_tax_amount    | Tax amount            | number calculation_equation | {group} | calc
amount           | Net price             | number calculation_equation | {group} | calc
recurringbillingfrequency | Billing frequency | enumeration select | {group} | =billing
hs_position_on_quote | Position on quote | number number        | {group} |
createdate       | Create Date           | datetime date        | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
"""

_PRODUCTS = """
name             | Name                  | string text          | {group} |
hs_sku           | SKU                   | string text          | {group} | unique
description      | Description           | string textarea      | {group} |
price            | Unit price            | number number        | {group} |
hs_cost_of_goods_sold | Unit cost        | number number        | {group} |
recurringbillingfrequency | Billing frequency | enumeration select | {group} | =billing
createdate       | Create Date           | datetime date        | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
"""

_QUOTES = """
hs_title         | Quote name            | string text          | {group} |
hs_status        | Quote status          | enumeration select   | {group} | =quote_status
hs_expiration_date | Expiration date     | datetime date        | {group} |
hs_quote_number  | Reference number      | string text          | {group} | ro
hs_quote_amount  | Quote amount          | number calculation_rollup | {group} | calc
hs_approver_id   | Approver              | number number        | {group} |
hs_locked        | Locked                | bool calculation_equation | {group} | calc =bool
hs_language      | Quote language        | enumeration select   | {group} | =language
hs_currency      | Quote currency        | enumeration select   | {group} | =currency
hs_sender_firstname | Quote owner first name | string text      | {group} |
hs_sender_lastname | Quote owner last name | string text        | {group} |
hs_sender_email  | Quote owner email     | string text          | {group} |
hs_comments      | Comments              | string textarea      | {group} |
hs_terms         | Terms                 | string textarea      | {group} |
hs_createdate    | Create Date           | datetime date        | {group} | ro
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
"""

_TICKETS = """
subject          | Ticket name           | string text          | {group} |
content          | Ticket description    | string textarea      | {group} |
hs_pipeline      | Pipeline              | enumeration select   | {group} | =ticket_pipeline
hs_pipeline_stage | Ticket status        | enumeration select   | {group} | =ticket_stage
hs_ticket_priority | Priority            | enumeration select   | {group} | =ticket_priority
hs_ticket_category | Category            | enumeration checkbox | {group} | =ticket_category
createdate       | Create date           | datetime date        | {group} |
hs_lastmodifieddate | Last Modified Date | datetime date        | {group} | ro
"""

TABLES = {
    "contacts": ("contactinformation", _CONTACTS + _SYSTEM),
    "companies": ("companyinformation", _COMPANIES + _SYSTEM),
    "deals": ("dealinformation", _DEALS + _SYSTEM),
    "tickets": ("ticketinformation", _TICKETS + _SYSTEM),
    "products": ("productinformation", _PRODUCTS + _SYSTEM),
    "line_items": ("lineiteminformation", _LINE_ITEMS + _SYSTEM),
    "quotes": ("quoteinformation", _QUOTES + _SYSTEM),
    **{name: (group, table + _SYSTEM) for name, (group, table) in ACTIVITIES.items()},
}
"""Group name and property table by object type."""


def rows(object_: str) -> list[tuple[str, str, str, str, str, list[str]]]:
    """Return name, label, type, field type, group and flags of every property of an object."""
    group, table = TABLES[object_]
    found = []
    for line in filter(None, table.format(group=group).splitlines()):
        name, label, types, in_group, flags = (part.strip() for part in line.split("|"))
        type_, field = types.split()
        found.append((name, label, type_, field, in_group, flags.split()))
    return found
