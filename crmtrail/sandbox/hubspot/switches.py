"""How the portal is set to behave; the act verbs turn these."""

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Settings of one portal, at their defaults after each reset.

    ``index_lag`` is in seconds of the world's clock; with ``index_jitter`` each write takes a
    random share of it, so that writes reach the index out of order. ``locked`` and ``migrating``
    count the writes still to be refused with 423 and the requests to be refused with 477.
    With ``gdpr`` nobody is subscribed without a legal basis.
    ``time_zone`` is the account's: its midnight ends the day of the daily limit. ``rollup_lag``
    is how many seconds of the world's clock computed values come after what they follow from.
    ``edit_associations`` is the permission of the user behind OAuth tokens.
    ``webhook_delay`` is as many before events are sent; ``webhook_duplicates`` sends all twice,
    ``webhook_shuffle`` out of order.

    The switches from ``trace_echo`` on choose between answers that no document settles:
    whether a batch echoes ``objectWriteTraceId``, whether a traced input of a batch update fails
    alone, whether history is shown of archived records, whether a record keeps its history when
    it is restored, whether a cleared value is "" or null in the history, whether empty source
    fields of an entry are null or absent, whether record ids are sorted and compared as text,
    whether search shows ``hs_merged_object_ids``, whether the recycle bin is listed by time, and
    whether missing scopes stand in the context of a refusal or in its errors.
    ``orphaned`` is the id of an app whose maker has left: it reaches no records any more.
    """

    index_lag: float = 0.0
    index_jitter: bool = False
    short_pages: bool = False
    preserve_primary: bool = False
    enterprise: bool = False
    locked: int = 0
    migrating: int = 0
    migrating_for: int = 3600
    pages: int = 0
    webhook_duplicates: bool = False
    webhook_shuffle: bool = False
    webhook_delay: float = 0.0
    account_type: str = "STANDARD"
    time_zone: str = "UTC"
    gdpr: bool = True
    rollup_lag: float = 0.0
    quote_lock: bool = True
    edit_associations: bool = True
    trace_echo: bool = True
    update_in_part: bool = False
    archived_history: bool = True
    restore_keeps_history: bool = True
    cleared_as_null: bool = False
    null_sources: bool = False
    ids_as_text: bool = False
    hide_merged_ids: bool = False
    bin_by_time: bool = False
    scopes_in_context: bool = False
    orphaned: str = ""
