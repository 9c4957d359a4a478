"""Event log files, and the event objects of real-time monitoring."""

from typing import Any

from crmtrail.sandbox.salesforce.fields import (
    Field,
    area,
    check,
    fixed,
    moment,
    number,
    pick,
    ref,
    stamps,
    text,
    whole,
)
from crmtrail.sandbox.salesforce.objects_access import row_id, written_by_org
from crmtrail.sandbox.salesforce.schema import SObject

_SHUT: dict[str, Any] = fixed(closed=("filter", "sort", "aggregate"))
COMMON = (
    "EVENT_TYPE TIMESTAMP REQUEST_ID ORGANIZATION_ID USER_ID RUN_TIME CPU_TIME URI SESSION_KEY"
    " LOGIN_KEY USER_TYPE REQUEST_STATUS DB_TOTAL_TIME"
)
LAST = "TIMESTAMP_DERIVED USER_ID_DERIVED CLIENT_IP URI_ID_DERIVED"
COLUMNS = {
    "Login": "BROWSER_TYPE API_TYPE API_VERSION USER_NAME TLS_PROTOCOL CIPHER_SUITE"
    " AUTHENTICATION_METHOD_REFERENCE LOGIN_STATUS SOURCE_IP",
    "URI": "REFERRER_URI",
    "LightningPageView": "PAGE_ENTITY_ID PAGE_ENTITY_TYPE PAGE_URL PAGE_CONTEXT APP_NAME",
    "API": "API_TYPE API_VERSION CLIENT_NAME METHOD_NAME ENTITY_NAME ROWS_PROCESSED",
    "RestApi": "METHOD HTTP_METHOD API_VERSION ENTITY_NAME ROWS_PROCESSED NUMBER_FIELDS"
    " CONNECTED_APP_ID CLIENT_NAME USER_AGENT STATUS_CODE",
    "ApiTotalUsage": "API_FAMILY API_VERSION API_RESOURCE CLIENT_NAME CONNECTED_APP_ID"
    " CONNECTED_APP_NAME ENTITY_NAME HTTP_METHOD STATUS_CODE COUNTS_AGAINST_API_LIMIT",
    "Report": "REPORT_ID DASHBOARD_ID ROW_COUNT NUMBER_COLUMNS ENTITY_NAME RENDERING_TYPE",
    "ReportExport": "REPORT_DESCRIPTION ROW_COUNT",
    "LoginAs": "LOGIN_AS_ORGANIZATION_ID DELEGATED_USER_ID DELEGATED_USER_ID_DERIVED"
    " DELEGATED_USER_NAME LOGIN_AS_CATEGORY TARGET_SITE_ID",
    "Logout": "USER_INITIATED_LOGOUT SESSION_TYPE SESSION_LEVEL",
    "BulkApi2": "JOB_ID OPERATION_TYPE ENTITY_TYPE ROWS_PROCESSED NUMBER_FAILURES STATUS MESSAGE",
    "ContentTransfer": "TRANSACTION_TYPE DOCUMENT_ID DOCUMENT_ID_DERIVED VERSION_ID"
    " VERSION_ID_DERIVED FILE_TYPE FILE_PREVIEW_TYPE SIZE_BYTES",
}
"""The columns each event type adds to `COMMON` and `LAST`."""
_DOC_TYPES = "|".join(COLUMNS)

_FILE = SObject(
    "EventLogFile",
    "Event Log Files",
    "0AT",
    (
        *stamps(),
        pick("EventType", _DOC_TYPES, **fixed(nillable=False)),
        moment("LogDate", **fixed(nillable=False)),
        number("LogFileLength", 18, 0, **fixed(nillable=False)),
        text("LogFileContentType", 40, **fixed(nillable=False)),
        number("ApiVersion", 18, 0, **fixed(nillable=False)),
        whole("Sequence", **fixed()),
        pick("Interval", "Daily|Hourly", **fixed()),
        area("LogFileFieldNames", 255, **fixed(closed=("filter", "sort", "aggregate"))),
        area("LogFileFieldTypes", 255, **fixed(closed=("filter", "sort", "aggregate"))),
        Field("LogFile", "base64", **fixed(nillable=False)),
    ),
    label="Event Log File",
    createable=False,
    updateable=False,
    undeletable=False,
    replicateable=False,
)


def _event(name: str, prefix: str, licence: str, *fields: Field) -> SObject:
    """Make a big object of events: all rows bear one id, EventIdentifier tells them apart."""
    when: dict[str, Any] = fixed(nillable=False, millis=True)
    return written_by_org(
        name,
        f"{name}s",
        prefix,
        (
            row_id(closed=("filter", "sort", "aggregate")),
            text("EventIdentifier", 36, **fixed(nillable=False, closed=("sort", "aggregate"))),
            moment("EventDate", **(when | {"closed": ("aggregate",)})),
            moment("CreatedDate", **(when | {"closed": ("filter", "sort", "aggregate")})),
            ref("UserId", "User", **_SHUT),
            text("Username", 80, **_SHUT),
            text("SourceIp", 39, **_SHUT),
            text("SessionKey", 24, **_SHUT),
            text("LoginKey", 24, **_SHUT),
            text("RelatedEventIdentifier", 36, **_SHUT),
            *fields,
        ),
        licence=licence,
        big=True,
    )


def _texts(names: str, length: int = 255) -> tuple[Field, ...]:
    return tuple(text(name, length, **_SHUT) for name in names.split())


def _numbers(names: str) -> tuple[Field, ...]:
    return tuple(number(name, 18, 6, **_SHUT) for name in names.split())


def _areas(names: str) -> tuple[Field, ...]:
    return tuple(area(name, 255, **_SHUT) for name in names.split())


_POLICY = _texts("PolicyId PolicyOutcome EvaluationTime")
_LOGIN = _event(
    "LoginEvent", "7P1", "event_monitoring",
    *_texts("LoginType LoginSubType LoginUrl TlsProtocol CipherSuite Browser Platform Status"
            " Application ApiType ApiVersion City Country CountryIso PostalCode Subdivision"
            " SessionLevel HttpMethod AuthServiceId AuthMethodReference LoginGeoId LoginHistoryId"
            " ClientVersion UserType"),
    *_numbers("LoginLatitude LoginLongitude"),
    *_POLICY,
)  # fmt: skip
_LOGIN_AS = _event(
    "LoginAsEvent", "7P2", "event_monitoring",
    *_texts("DelegatedUsername DelegatedOrganizationId LoginType TargetUrl Application Browser"
            " Platform LoginAsCategory LoginHistoryId SessionLevel"),
    *_POLICY,
)  # fmt: skip
_LIST_VIEW = _event(
    "ListViewEvent", "7P3", "shield",
    *_texts("Name DeveloperName ListViewId FilterCriteria NumberOfColumns OrderBy Scope Operation"
            " QueriedEntities AppName EventSource ExecutionIdentifier SessionLevel"),
    *_areas("Records ColumnHeaders"),
    *_numbers("RowsProcessed Sequence"),
    *_POLICY,
)  # fmt: skip
_REPORT = _event(
    "ReportEvent", "7P4", "shield",
    *_texts("Name ReportId Description Format Operation QueriedEntities Scope OwnerId DashboardId"
            " DashboardName ExportFileFormat EventSource ExecutionIdentifier SessionLevel"),
    *_areas("Records ColumnHeaders DisplayedFieldEntities GroupedColumnHeaders"),
    *_numbers("RowsProcessed RowsReturned NumberOfColumns Sequence"),
    check("IsScheduled", **_SHUT),
    *_POLICY,
)  # fmt: skip
_API = _event(
    "ApiEvent", "7P5", "shield",
    *_texts("Application Client ConnectedAppId ApiType UserAgent Operation QueriedEntities"
            " AdditionalInfo Platform SessionLevel"),
    *_areas("Query Records"),
    *_numbers("ApiVersion RowsProcessed RowsReturned ElapsedTime"),
    *_POLICY,
)  # fmt: skip
_URI = _event(
    "LightningUriEvent", "7P6", "shield",
    *_texts("RecordId Operation QueriedEntities PageUrl PreviousPageAppName PreviousPageEntityId"
            " PreviousPageEntityType PreviousPageUrl AppName UserType DeviceId DeviceModel"
            " DevicePlatform OsName OsVersion ConnectionType SdkAppType SdkAppVersion SdkVersion"
            " SessionLevel"),
    *_numbers("Duration EffectivePageTime PageStartTime"),
)  # fmt: skip
_PERMISSION = _event(
    "PermissionSetEventStore", "7P7", "shield",
    *_texts("Operation EventSource ParentIdList ParentNameList PermissionType UserCount"
            " HasExternalUsers"),
    *_areas("ImpactedUserIds PermissionList PermissionExpirationList"),
    *_numbers("PermissionListCount"),
    *_POLICY,
)  # fmt: skip

EVENTS = (_FILE, _LOGIN, _LOGIN_AS, _LIST_VIEW, _REPORT, _API, _URI, _PERMISSION)
