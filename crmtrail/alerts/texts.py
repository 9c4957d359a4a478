"""The words of a message. Pure. Without ``values`` nothing in them is personal data.

A finding's title and reason, an actor's name and an import's name may hold personal data, so that
the text is built from numbers, names of fields and objects, and ids.
"""

from dataclasses import dataclass
from html import escape
from typing import Final

from crmtrail.alerts.decide import Message, What
from crmtrail.alerts_config import AlertChannel
from crmtrail.model import Actor, ActorKind, Incident, IncidentState, stamp

_WHY: Final = {
    What.OPENED: "new",
    What.GREW: "grew",
    What.WORSE: "more severe",
    What.RESOLVED: "resolved",
    What.REOPENED: "reopened",
}
_NAMED: Final = frozenset({ActorKind.APP, ActorKind.AUTOMATION, ActorKind.SYSTEM})


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words: subject, plain text, and the same as HTML."""

    subject: str
    plain: str
    html: str


def text_of(message: Message, channel: AlertChannel) -> Text:
    """Return the words of a message for a channel."""
    parts = [_lines(incident, why, channel) for incident, why, _ in message.told]
    if message.digest:
        count = len(parts)
        subject = f"crmtrail digest: {count} lesser {'incident' if count == 1 else 'incidents'}"
    else:
        incident, why, before = message.told[0]
        subject = _subject(incident, why, before)
    html = "".join(_html(lines) for lines in parts)
    return Text(subject, "\n\n".join("\n".join(lines) for lines in parts), html)


def trial_text(channel: AlertChannel) -> Text:
    """Return the words of the message that tries a channel."""
    words = f"This is a test of the channel {channel.to}. Alerts of crmtrail arrive here."
    return Text("crmtrail test", words, f"<p>{escape(words)}</p>")


def _subject(incident: Incident, why: What, before: int) -> str:
    """Return the subject; the same id and "update 2" make a thread where a channel has none."""
    found, operation = incident.finding, incident.operation
    what = f"{found.rule}, {_count(found.records)} of {operation.source}:{operation.object}"
    update = f" update {before + 1}" if before else ""
    return f"crmtrail {incident.id}{update}: {_WHY[why]}, {found.severity.value}: {what}"


def _lines(incident: Incident, why: What, channel: AlertChannel) -> list[str]:
    found, operation = incident.finding, incident.operation
    state = _WHY[why]
    if why is What.OPENED and incident.state is IncidentState.RESOLVED:
        state = "opened and resolved since"
    what = f"{_count(found.records)} of {operation.source}:{operation.object}"
    lines = [
        f"{found.rule}: {what} ({found.severity.value}, {state})",
        f"when: {stamp(operation.started)} to {stamp(operation.ended)}",
        f"by: {operation.actor if channel.values else who(operation.actor)}",
    ]
    if found.fields:
        lines.append(f"fields: {', '.join(found.fields)}")
    if operation.blanked:
        lines.append(f"values that became blank: {operation.blanked:,}")
    if channel.values:
        lines += [found.title, found.why]
    if channel.link:
        lines.append(channel.link.replace("{incident}", incident.id))
    return [*lines, f"crmtrail incident {incident.id}"]


def who(actor: Actor) -> str:
    """Return who acted without naming a person: the kind, the id, and of an app its name.

    An import is named by its id: its name is a file's, which somebody chose.
    """
    name = actor.id
    if actor.kind in _NAMED:
        name = actor.via or actor.name or actor.id
    shown = f"{actor.kind.value} {name}" if name else actor.kind.value
    through = actor.kind is ActorKind.USER and actor.via
    return f"{shown} through {actor.via}" if through else shown


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records:,} records"


def _html(lines: list[str]) -> str:
    first, *rest = (escape(line) for line in lines)
    return f"<p><b>{first}</b><br>{'<br>'.join(rest)}</p>"
