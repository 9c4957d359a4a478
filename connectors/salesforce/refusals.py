"""Row refusals of Salesforce in plain words, with what to do about them.

The codes are values of StatusCode in the partner WSDL; which write meets which is from the
"Core Data Types Used in API Calls" page of the SOAP API Developer Guide.
"""

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": "another record of the same batch failed; apply again",
    "BAD_CUSTOM_ENTITY_PARENT_DOMAIN": "the parent record does not allow this child",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow of the org failed; its text says "
    "where, and its owner has to mend it",
    "CANNOT_UPDATE_CONVERTED_LEAD": "a converted lead is read-only; nothing can be restored on it",
    "CIRCULAR_DEPENDENCY": "the value would make the record its own parent",
    "DELETE_FAILED": "another record still refers to it",
    "DUPLICATE_EXTERNAL_ID": "another record holds this external id now; free it there first",
    "DUPLICATE_VALUE": "another record holds this value of a unique field; free it there first",
    "DUPLICATES_DETECTED": "a duplicate rule blocks it; let the rule allow saving for this user",
    "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE": "somebody changed the record meanwhile; plan again",
    "ENTITY_IS_DELETED": "the record is in the recycle bin; undelete it in Salesforce first",
    "ENTITY_IS_LOCKED": "the record is locked by an approval; recall it or unlock the record",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses the old value; "
    "its text says why",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "a lookup filter of the org refuses the related record",
    "FIELD_INTEGRITY_EXCEPTION": "the value does not fit the other values of the record",
    "INACTIVE_OWNER_OR_USER": "the owner is inactive; activate the user, or grant "
    "Update Records with Inactive Owners",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "this identity may not see the related record",
    "INSUFFICIENT_ACCESS_OR_READONLY": "this identity may not edit the record; "
    "grant edit access or Modify All Data",
    "INVALID_CROSS_REFERENCE_KEY": "the related record is gone or not visible; restore it first",
    "INVALID_EMAIL_ADDRESS": "Salesforce no longer accepts this address",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "the field is read-only for this identity; "
    "grant edit access to it (field-level security)",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "the value is no longer in the picklist; "
    "activate it again, or leave the field out",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "the field's type was changed since",
    "LIMIT_EXCEEDED": "a limit of the org is reached; free some room first",
    "MALFORMED_ID": "the value is no id of the object it refers to",
    "NOT_FOUND": "the record is gone from Salesforce",
    "NUMBER_OUTSIDE_VALID_RANGE": "the field's length or decimal places were cut since",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "users of that type may not own this record",
    "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT": "a portal user hangs on the contact; free it first",
    "REQUEST_RUNNING_TOO_LONG": "the org's automation took too long; apply again",
    "REQUIRED_FIELD_MISSING": "the field may not be empty any more; leave it out of the restore",
    "SERVER_UNAVAILABLE": "Salesforce was busy; apply again",
    "STORAGE_LIMIT_EXCEEDED": "the org has no storage left",
    "STRING_TOO_LONG": "the field's length was cut since; widen it again",
    "TRANSFER_REQUIRES_READ": "the owner to restore may not read this object; grant it",
    "UNABLE_TO_LOCK_ROW": "somebody else was writing to it just then; apply again",
    "UNKNOWN_EXCEPTION": "Salesforce failed inside; apply again, and ask its support if it stays",
}
"""What to do, by the vendor's code."""

SOMETHING_ELSE = "see Salesforce's list of status codes"


def hint(code: str) -> str:
    """Return what to do about a refused row."""
    return HINTS.get(code, SOMETHING_ELSE)
