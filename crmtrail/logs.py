"""Logs of the service: one JSON line an event on standard error, without personal data."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from scheduler.runner import Run

_SECRET_KEYS = re.compile(r"token|secret|password|authorization|assertion", re.IGNORECASE)
_SECRETS = re.compile(r"00D\w{12,15}![\w.]+|pat-[a-z0-9]+-[\w-]+|Bearer\s+\S+")


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blot out anything that looks like a credential."""
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = "[redacted]"
        elif isinstance(value, str):
            event[key] = _SECRETS.sub("[redacted]", value)
    return event


def configure(*, verbose: int, quiet: bool) -> None:
    """Set the level and the format of the service's log."""
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line: whoever redirects standard error gets the log too.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def tell_run(run: "Run") -> None:
    """Log how a run ended."""
    told = structlog.get_logger().bind(
        source=run.source,
        object=run.object,
        state=run.state,
        read=run.kept.read,
        changes=run.kept.changes,
        api_calls=run.api_calls,
        incidents=list(run.kept.incidents),
    )
    if run.failure is None:
        told.info("synced")
    else:
        told.warning("sync ended early", why=run.failure.message)
