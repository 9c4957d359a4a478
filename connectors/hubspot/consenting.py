"""Setting subscription statuses: only what a plan made and approved for consent asks for.

HubSpot names a subscriber by the e-mail address, which is read just before and goes nowhere else.
A status is set with the legal basis and the explanation that the plan puts back; none is made up:
where HubSpot requires one, it says so.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from connectors.hubspot.client import Client
from connectors.hubspot.halving import Halving, Input, Word, sorted_word
from connectors.hubspot.posts import Made, Posts, Statuses
from connectors.hubspot.readings import plain
from crmtrail.errors import PermissionMissing
from crmtrail.model import Answer, Verdict, Write, value_of

OBJECT: Final = "subscription_statuses"
STATES: Final = frozenset({"SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED"})
_CHANNEL: Final = "EMAIL"
_SUBSCRIBER: Final = "subscriberIdString"
_WRITABLE: Final = frozenset({"status", "legalBasis", "legalBasisExplanation"})
_PLAIN: Final = "consent is what the person said: only status, legalBasis and its explanation go"


def set_statuses(client: Client, writes: Sequence[Write]) -> Sequence[Answer]:
    """Set subscription statuses of at most 100 contacts; ids are ``CONTACT.SUBSCRIPTION``.

    Raises:
        Throttled: nothing was sent.
        Ambiguous: the batch may or may not have landed.
        PermissionMissing: the token may set no statuses.
    """
    refused = {write.key: no for write in writes if (no := _refusal(write))}
    due = [write for write in writes if write.key not in refused]
    addresses = _addresses(client, due)
    halving = Halving()
    inputs = []
    for write in due:
        address = addresses.get(_contact(write))
        if address is None:
            refused[write.key] = _no(write, "OBJECT_NOT_FOUND", "the contact has no e-mail address")
            continue
        inputs.append(Input(write.key, write.ref.id, _body(write, address)))
    posts = Posts(client)
    try:
        halving.send(inputs, partial(_posted, posts), _accepted)
    except PermissionMissing:  # the scope for batches is one of its own
        for one in inputs:
            halving.send([one], partial(_alone, posts), _accepted)
    return [refused.get(write.key) or halving.answers[write.key] for write in writes]


def _refusal(write: Write) -> Answer | None:
    contact, _, subscription = write.ref.id.partition(".")
    if not (contact.isdecimal() and subscription.isdecimal()):
        return _no(write, "OBJECT_NOT_FOUND", f"{write.ref.id} names no contact and subscription")
    if other := sorted(write.fields.keys() - _WRITABLE):
        return _no(write, "READ_ONLY_VALUE", f"{', '.join(other)} cannot be written: {_PLAIN}")
    if _text(write, "status") not in STATES:
        message = "status has to be told: SUBSCRIBED, UNSUBSCRIBED or NOT_SPECIFIED"
        return _no(write, "INVALID_OPTION", message)
    return None


def _no(write: Write, code: str, message: str) -> Answer:
    hint = "ask the person, and let HubSpot's own form or a user record what they say"
    return Answer(write.key, Verdict.REFUSED, code, message, hint)


def _addresses(client: Client, writes: Sequence[Write]) -> Mapping[str, str]:
    ids = sorted({_contact(write) for write in writes})
    if not ids:
        return {}
    told = client.batch("contacts", ids, names=("email",)).content
    found = {str(one.id): plain(one.properties.get("email")) for one in told.results}
    return {id_: address for id_, address in found.items() if address}


def _contact(write: Write) -> str:
    return write.ref.id.partition(".")[0]


def _text(write: Write, name: str) -> str:
    return str(value_of(write.fields.get(name, "null")) or "")


def _body(write: Write, address: str) -> dict[str, Any]:
    body = {
        _SUBSCRIBER: address,
        "subscriptionId": int(write.ref.id.partition(".")[2]),
        "statusState": _text(write, "status"),
        "channel": _CHANNEL,
        "legalBasis": _text(write, "legalBasis"),
        "legalBasisExplanation": _text(write, "legalBasisExplanation"),
    }
    return {name: value for name, value in body.items() if value != ""}


def _posted(posts: Posts, inputs: Sequence[Input]) -> Word:
    told = posts.set_statuses([one.body for one in inputs])
    return sorted_word(inputs, _done(inputs, told), told.errors)


def _alone(posts: Posts, inputs: Sequence[Input]) -> Word:
    (one,) = inputs
    body = {name: value for name, value in one.body.items() if name != _SUBSCRIBER}
    told = posts.set_status(one.body[_SUBSCRIBER], body)
    return sorted_word(inputs, _done(inputs, told), told.errors)


def _done(inputs: Sequence[Input], told: Statuses) -> dict[str, Made | None]:
    """Return the inputs that are answered as they were asked, by subscriber and subscription."""
    found = {
        (str(one.subscriber_id_string).casefold(), str(one.subscription_id)): one.status
        for one in told.results
    }
    return {
        one.key: None
        for one in inputs
        if found.get((str(one.body[_SUBSCRIBER]).casefold(), str(one.body["subscriptionId"])))
        == one.body["statusState"]
    }


def _accepted(one: Input, made: Made | None) -> Answer:
    del made
    return Answer(one.key, Verdict.ACCEPTED)
