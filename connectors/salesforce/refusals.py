"""Row refusals of Salesforce in plain words, with what to do about them.

The codes are values of StatusCode in the partner WSDL; which write meets which is from the
"Core Data Types Used in API Calls" page of the SOAP API Developer Guide.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from connectors.salesforce.answers import one_line
from crmtrail.model import Answer, Verdict, Write

PRECONDITION: Final = "PRECONDITION_FAILED"
"""Our word for HTTP 412, whatever its body says."""

UNPROCESSED: Final = "UNPROCESSED"
"""Our word for a row of a bulk job that the job ended without looking at."""

_SIGN_IN = "the session has ended; put a fresh token where the config takes it from"
_AGAIN = "Salesforce was busy; apply again"
_PLAN_AGAIN = "somebody changed the record meanwhile; plan again"
_OURS = "that is a fault of crmtrail, not of the record; please report it"

HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ALL_OR_NONE_OPERATION_ROLLED_BACK": "another record of the same batch failed; apply again",
        "BAD_CUSTOM_ENTITY_PARENT_DOMAIN": "the parent record does not allow this child",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow of the org failed; its text "
        "says where, and its owner has to mend it",
        "CANNOT_UPDATE_CONVERTED_LEAD": "a converted lead is read-only; nothing can be restored "
        "on it",
        "CIRCULAR_DEPENDENCY": "the value would make the record its own parent",
        "DELETE_FAILED": "another record still refers to it; remove that one first",
        "DUPLICATE_EXTERNAL_ID": "another record holds this external id now; free it there first",
        "DUPLICATE_VALUE": "another record holds this value of a unique field; free it there first",
        "DUPLICATES_DETECTED": "a duplicate rule blocks it; look at the records named, or set "
        "duplicate_rules: allow for this source",
        "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE": _PLAN_AGAIN,
        "ENTITY_IS_DELETED": "the record is in the recycle bin; undelete it first",
        "ENTITY_IS_LOCKED": "the record is locked by an approval; recall it or unlock the record",
        "EXCEEDED_ID_LIMIT": "too many records in one request; apply again in smaller parts",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses the old value; "
        "its text says why",
        "FIELD_FILTER_VALIDATION_EXCEPTION": "a lookup filter of the org refuses the related "
        "record",
        "FIELD_INTEGRITY_EXCEPTION": "the value does not fit the other values of the record",
        "INACTIVE_OWNER_OR_USER": "the owner is inactive; activate the user, or grant "
        "Update Records with Inactive Owners",
        "INSUFFICIENT_ACCESS": "this identity may not do that; grant edit access or "
        "Modify All Data",
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "this identity may not see the related "
        "record",
        "INSUFFICIENT_ACCESS_OR_READONLY": "this identity may not edit the record; "
        "grant edit access or Modify All Data",
        "INVALIDENTITY": "the Bulk API does not serve this object; apply in parts of 200",
        "INVALID_CROSS_REFERENCE_KEY": "the related record is gone or not visible; restore it "
        "first",
        "INVALID_EMAIL_ADDRESS": "Salesforce no longer accepts this address",
        "INVALID_FIELD": "the object has no such field any more, or this identity cannot see it; "
        "sync, then plan again",
        "INVALID_FIELD_FOR_INSERT_UPDATE": "the field is read-only for this identity; "
        "grant edit access to it (field-level security)",
        "INVALID_INPUT": _OURS,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "the value is no longer in the picklist; "
        "activate it again, or leave the field out",
        "INVALID_QUERY_LOCATOR": "Salesforce forgot our place in a result; apply again",
        "INVALID_REPLICATION_DATE": "the log of deletions was cut; run `sync --reconcile`",
        "INVALID_SESSION_ID": _SIGN_IN,
        "INVALID_TYPE": "there is no such object for this identity; grant access to it",
        "INVALID_TYPE_ON_FIELD_IN_RECORD": "the field's type was changed since",
        "InvalidSessionId": _SIGN_IN,
        "InvalidVersion": "that version of the API is retired; raise api_version",
        "JSON_PARSER_ERROR": "the value does not fit the field's type, which was changed since",
        "LIMIT_EXCEEDED": "a limit of the org is reached; free some room first",
        "LOGIN_OAUTH_INVALID_TOKEN": _SIGN_IN,
        "MALFORMED_ID": "the value is no id of the object it refers to",
        "MALFORMED_QUERY": _OURS,
        "MISSING_ARGUMENT": _OURS,
        "NOT_FOUND": "the record is gone from Salesforce; make it anew",
        "NUMBER_OUTSIDE_VALID_RANGE": "the field's length or decimal places were cut since",
        "OP_WITH_INVALID_USER_TYPE": "users of that type may not own this record",
        "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "users of that type may not own this record",
        "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT": "a portal user hangs on the contact; free it "
        "first",
        PRECONDITION: _PLAN_AGAIN,
        "PROCESSING_HALTED": "another record of the same request failed; apply again",
        "QUERY_TIMEOUT": "Salesforce took too long to find the records; apply again",
        "QUERY_TOO_COMPLICATED": "the object has too many formulas for one query; leave some "
        "fields out",
        "REQUEST_LIMIT_EXCEEDED": "the org's API calls of 24 hours are used up; apply again later",
        "REQUEST_RUNNING_TOO_LONG": "the org's automation took too long; apply again",
        "REQUIRED_FIELD_MISSING": "the field may not be empty any more; leave it out of the "
        "restore, or give it a value",
        "SERVER_UNAVAILABLE": _AGAIN,
        "STORAGE_LIMIT_EXCEEDED": "the org has no storage left",
        "STRING_TOO_LONG": "the field's length was cut since; widen it again",
        "TRANSFER_REQUIRES_READ": "the owner to restore may not read this object; grant it",
        "TXN_SECURITY_METERING_ERROR": "a transaction security policy of the org stopped it; grant "
        "Exempt from Transaction Security",
        "UNABLE_TO_LOCK_ROW": "somebody else was writing to it just then; apply again",
        "UNDELETE_FAILED": "it is not in the recycle bin, or its parent is: undelete the parent "
        "first, or make it anew",
        "UNKNOWN_EXCEPTION": "Salesforce failed inside; apply again, and ask its support if it "
        "stays",
        UNPROCESSED: "the bulk job ended before it reached the record; apply again",
        "UNSUPPORTED_API_VERSION": "that version of the API is retired; raise api_version",
    }
)
"""What to do, by the vendor's code."""

SOMETHING_ELSE: Final = "see Salesforce's list of status codes"

_MOST_NAMED: Final = 5


class _Matched(msgspec.Struct):
    id: str | None = msgspec.field(default=None, name="Id")


class _MatchRecord(msgspec.Struct):
    record: _Matched | None = None


class _MatchResult(msgspec.Struct, rename="camel"):
    match_records: list[_MatchRecord] | None = None


class Duplicates(msgspec.Struct, rename="camel"):
    """What a duplicate rule found. Only ids are read: the rest are people's names."""

    match_results: list[_MatchResult] | None = None

    @property
    def ids(self) -> Sequence[str]:
        """The records that it takes for the same, each once."""
        found = (
            match.record.id
            for result in self.match_results or ()
            for match in result.match_records or ()
            if match.record and match.record.id
        )
        return tuple(dict.fromkeys(found))


class RowError(msgspec.Struct, rename="camel"):
    """Why a row was refused.

    Collections call the code ``statusCode``, single records ``errorCode``. One public client reads
    ``duplicateResut``, which looks like a slip of the vendor's: both are taken.
    """

    status_code: str = ""
    error_code: str = ""
    message: str = ""
    fields: list[str] | None = None
    duplicate_result: Duplicates | None = None
    duplicate_resut: Duplicates | None = None

    @property
    def code(self) -> str:
        """The vendor's code."""
        return self.status_code or self.error_code or "UNKNOWN_EXCEPTION"

    def told(self) -> str:
        """Return the vendor's words, with the fields and the records where they name none."""
        missing = [name for name in self.fields or () if name not in self.message]
        told = f"{self.message} ({', '.join(missing)})" if missing else self.message
        found = self.duplicate_result or self.duplicate_resut
        return f"{told} ({_matches(found.ids)})" if found and found.ids else told


class RowResult(msgspec.Struct):
    """What became of one row; a refused one carries no id."""

    success: bool
    id: str | None = None
    errors: list[RowError] | None = None

    @property
    def error(self) -> RowError:
        """The first reason of a refusal."""
        return self.errors[0] if self.errors else RowError()


def _matches(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_MOST_NAMED])
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return f"{len(ids)} record{'s' * (len(ids) != 1)} like it: {shown}{more}"


def hint(code: str) -> str:
    """Return what to do about a refused row."""
    return HINTS.get(code, SOMETHING_ELSE)


def refused(write: Write, code: str, message: str, advice: str = "") -> Answer:
    """Return the refusal of one write, with what to do about it."""
    return Answer(write.key, Verdict.REFUSED, code, one_line(message), advice or hint(code))


def in_doubt(write: Write, message: str) -> Answer:
    """Return the answer for a write that has to be read back before anything else."""
    return Answer(write.key, Verdict.UNKNOWN, message=one_line(message))
