"""Answers for what a vendor cannot do: refused, with what to do instead."""

from collections.abc import Sequence

from crmtrail.model import Answer, Verdict, Write

UNSUPPORTED = "UNSUPPORTED"
"""Our own code, where a vendor has no request that could be refused."""


def unable(writes: Sequence[Write], message: str, hint: str) -> Sequence[Answer]:
    """Return a refusal for each write. Nothing was sent."""
    return [Answer(w.key, Verdict.REFUSED, UNSUPPORTED, message, hint) for w in writes]
