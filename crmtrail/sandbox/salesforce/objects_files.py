"""Files: documents, their versions, what they hang on, and the older attachments."""

from crmtrail.sandbox.salesforce.fields import (
    Field,
    area,
    check,
    fixed,
    moment,
    owner,
    pick,
    ref,
    stamps,
    text,
    whole,
)
from crmtrail.sandbox.salesforce.schema import SObject

_LINKED = "Account|Contact|Lead|Opportunity|Quote|User"

_DOCUMENT = SObject(
    "ContentDocument",
    "Content Documents",
    "069",
    (
        *stamps(),
        text("Title", 255, nillable=False, title=True),
        owner(),
        check("IsArchived"),
        ref("LatestPublishedVersionId", "ContentVersion", **fixed()),
        pick("PublishStatus", "P|R|U", **fixed(default="P")),
        text("FileType", 20, **fixed()),
        text("FileExtension", 40, **fixed()),
        whole("ContentSize", **fixed()),
        moment("ContentModifiedDate", **fixed()),
        area("Description", 255),
    ),
    label="Content Document",
    createable=False,
)

_VERSION = SObject(
    "ContentVersion",
    "Content Versions",
    "068",
    (
        *stamps(),
        ref("ContentDocumentId", "ContentDocument", nillable=True, updateable=False,
            children="ContentVersions", on_delete="cascade"),
        check("IsLatest", **fixed()),
        text("VersionNumber", 20, **fixed()),
        text("Title", 255, title=True),
        area("Description", 255),
        text("ReasonForChange", 255),
        text("PathOnClient", 500, nillable=False, updateable=False),
        owner(),
        ref("FirstPublishLocationId", _LINKED, updateable=False),
        text("FileType", 20, **fixed()),
        text("FileExtension", 40, **fixed()),
        whole("ContentSize", **fixed()),
        text("Checksum", 50, **fixed()),
        moment("ContentModifiedDate", **fixed()),
        ref("ContentModifiedById", "User", **fixed()),
        pick("PublishStatus", "P|R|U", **fixed(default="P")),
        pick("Origin", "C|H", updateable=False, default="C"),
        Field("VersionData", "base64", nillable=False, updateable=False),
    ),
    label="Content Version",
    deletable=False,
    undeletable=False,
)  # fmt: skip

_LINK = SObject(
    "ContentDocumentLink",
    "Content Document Links",
    "06A",
    (
        Field("Id", "id", length=18, **fixed(nillable=False, defaulted=True)),
        ref("LinkedEntityId", _LINKED, nillable=False, updateable=False,
            children="ContentDocumentLinks", on_delete="cascade"),
        ref("ContentDocumentId", "ContentDocument", nillable=False, updateable=False,
            children="ContentDocumentLinks", on_delete="cascade"),
        check("IsDeleted", formula='"_deleted" IS NOT NULL', **fixed()),
        moment("SystemModstamp", **fixed(nillable=False, defaulted=True)),
        pick("ShareType", "V|C|I", defaulted=True, default="V"),
        pick("Visibility", "AllUsers|InternalUsers|SharedUsers", defaulted=True,
             default="AllUsers"),
    ),
    label="Content Document Link",
    undeletable=False,
    replicateable=False,
    needs=("Id", "ContentDocumentId", "LinkedEntityId"),
)  # fmt: skip

_ATTACHMENT = SObject(
    "Attachment",
    "Attachments",
    "00P",
    (
        *stamps(),
        ref("ParentId", "Account|Contact|Lead|Opportunity|Quote", nillable=False,
            updateable=False, children="Attachments", on_delete="cascade"),
        text("Name", 255, nillable=False, title=True),
        check("IsPrivate"),
        text("ContentType", 120),
        whole("BodyLength", **fixed()),
        Field("Body", "base64", nillable=False),
        owner(),
        area("Description", 255),
    ),
)  # fmt: skip

FILES = (_DOCUMENT, _VERSION, _LINK, _ATTACHMENT)
