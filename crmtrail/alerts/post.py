"""Send words through Apprise. Its URLs are secret and are never told."""

from typing import TYPE_CHECKING, Final

from crmtrail.alerts.texts import Text
from crmtrail.alerts_config import AlertChannel
from crmtrail.apprise_silence import unlogged
from crmtrail.errors import Mistake

if TYPE_CHECKING:
    from apprise import Apprise

_LONGEST_S: Final = 60.0


class ApprisePost:
    """`crmtrail.alerts.delivery.Post` over Apprise."""

    def fault(self, channel: AlertChannel) -> str:
        """Return why a channel cannot be sent to, or nothing. Sends nothing."""
        try:
            self._service(channel)
        except Mistake as error:
            return str(error)
        return ""

    def send(self, channel: AlertChannel, text: Text) -> str:
        """Send words; return why they did not get through, or nothing. Never raises."""
        try:
            service = self._service(channel)
            from apprise import NotifyFormat  # noqa: PLC0415 -- optional

            with unlogged():
                (server,) = service
                rich = server.notify_format == NotifyFormat.HTML
                taken = service.notify(
                    body=text.html if rich else text.plain,
                    title=text.subject,
                    body_format=NotifyFormat.HTML if rich else NotifyFormat.TEXT,
                    timeout=_LONGEST_S,
                )
        except Mistake as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 -- 130 plugins; their words may hold the URL
            return f"the service failed: {type(error).__name__}"
        return "" if taken else "the service did not take the message"

    def _service(self, channel: AlertChannel) -> "Apprise":
        if channel.unset:
            raise Mistake(f"the environment variable {channel.unset[0]} is not set")
        try:
            from apprise import Apprise, AppriseAsset  # noqa: PLC0415 -- optional
        except ImportError:
            raise Mistake("apprise is not installed: pip install 'crmtrail[apprise]'") from None
        asset = AppriseAsset(app_id="crmtrail", async_mode=False, storage_mode="memory")
        service = Apprise(asset=asset)
        with unlogged():
            known = service.add(channel.apprise_url.get_secret_value())
        if not known or len(service) != 1:
            raise Mistake(f"apprise_url of {channel.to} is not one URL that Apprise knows")
        return service
