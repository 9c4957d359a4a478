"""Anchor among people: the checkpoint goes out as a mail or a chat message, through Apprise.

Nobody can take a message back out of other people's mailboxes, and crmtrail cannot read it there:
it is checked by whoever has it, with ``crmtrail verify --against FILE``.
"""

from collections.abc import Iterator
from typing import Final

from crmtrail.anchor_config import MessageAnchor
from crmtrail.apprise_silence import unlogged
from crmtrail.errors import AnchorFailed
from snapshot.anchors.sink import Means, lacking
from snapshot.proofs import head_of

_WORDS: Final = """\
Keep this message. It shows later whether the history that crmtrail had kept by now was altered.
To check, save it as a file and run: crmtrail verify --against FILE

{note}"""
_LONGEST_S: Final = 60.0


class MessageSink:
    """`snapshot.anchors.sink.Sink` over one Apprise URL, which is secret and never told."""

    readable = False

    def __init__(self, settings: MessageAnchor, means: Means) -> None:
        del means
        self._settings = settings
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return None: what was sent cannot be read back."""
        del origin
        return None

    def held(self, origin: str) -> Iterator[str]:
        """Refuse.

        Raises:
            AnchorFailed: always.
        """
        raise AnchorFailed(
            f"{self.name} cannot be read back: messages of {origin} are with those who got them",
            hint="save such a message as a file, and run `crmtrail verify --against FILE`",
        )

    def send(self, note: str, origin: str) -> None:
        """Send a checkpoint. Whether anybody read it is not known.

        Raises:
            AnchorFailed: apprise is missing, the URL is none, or its service did not take it.
        """
        if self._settings.unset:
            raise AnchorFailed(f"the environment variable {self._settings.unset[0]} is not set")
        try:
            from apprise import Apprise, AppriseAsset, NotifyFormat  # noqa: PLC0415 -- optional
        except ImportError:
            raise lacking("apprise", "apprise") from None
        # Nothing but the text: no pictures from the web, no traces on the disk.
        asset = AppriseAsset(app_id="crmtrail", async_mode=False, storage_mode="memory")
        service = Apprise(asset=asset)
        with unlogged():
            if not service.add(self._settings.apprise_url.get_secret_value()):
                raise AnchorFailed(
                    f"apprise_url of {self.name} is no URL that Apprise knows",
                    hint="mailtos://user:password@host?to=..., or see Apprise's list of services",
                )
            told = service.notify(
                body=_WORDS.format(note=note),
                title=f"crmtrail checkpoint: {origin}, {head_of(note).size} entries",
                body_format=NotifyFormat.TEXT,
                timeout=_LONGEST_S,
            )
        if not told:
            raise AnchorFailed(f"the service behind {self.name} did not take the message")
