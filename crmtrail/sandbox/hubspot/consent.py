"""Communication preferences: what subscriptions there are, and who said what to which.

A status belongs to an address, not to a contact. Without an entry it is NOT_SPECIFIED.
"""

from random import Random
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid
from crmtrail.sandbox.hubspot.values import DAY, iso, millis
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_subscription_status(
  address TEXT NOT NULL, subscription INTEGER NOT NULL, status TEXT NOT NULL, basis TEXT,
  explanation TEXT, source TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (address, subscription))
"""

SUBSCRIPTIONS = {
    4_471_001: "Customer newsletter",
    4_471_002: "Product news",
    4_471_003: "One to one",
}
STATUSES = ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED")
BASES = (
    "LEGITIMATE_INTEREST_PQL",
    "LEGITIMATE_INTEREST_CLIENT",
    "LEGITIMATE_INTEREST_OTHER",
    "PERFORMANCE_OF_CONTRACT",
    "CONSENT_WITH_NOTICE",
    "NON_GDPR",
    "PROCESS_AND_STORE",
)
_MOST = 100
_API = "Public API"


class Consent:
    """Subscription statuses of one portal."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self) -> None:
        """Create the table."""
        self._world.db.execute(TABLE)

    def of(self, address: str) -> list[dict[str, Any]]:
        """Return the statuses of an address as the API shows them, one for each subscription."""
        rows = self._world.db.execute(
            "SELECT * FROM hs_subscription_status WHERE address=?", (address.casefold(),)
        )
        found = {row["subscription"]: dict(row) for row in rows}
        return [_shown(address, id_, found.get(id_)) for id_ in SUBSCRIPTIONS]

    def put(self, address: str, given: dict[str, Any], source: str, at: int) -> str:
        """Set a status and return why that succeeded, in HubSpot's words."""
        id_, status = int(given["subscriptionId"]), str(given["statusState"])
        now = next(one for one in self.of(address) if one["subscriptionId"] == id_)
        basis, explanation = given.get("legalBasis"), given.get("legalBasisExplanation")
        kept = (now["status"], now.get("legalBasis"), now.get("legalBasisExplanation"))
        if kept == (status, basis, explanation):
            return "NO_STATUS_CHANGE"
        self._world.db.execute(
            "INSERT OR REPLACE INTO hs_subscription_status VALUES (?,?,?,?,?,?,?)",
            (address.casefold(), id_, status, basis, explanation, source, at),
        )
        again = now["status"] == "UNSUBSCRIBED" and status == "SUBSCRIBED"
        return "RESUBSCRIBE_OCCURRED" if again else "REQUESTED_CHANGE_OCCURRED"


def _shown(address: str, id_: int, row: dict[str, Any] | None) -> dict[str, Any]:
    shown = {
        "channel": "EMAIL",
        "subscriberIdString": address,
        "subscriptionId": id_,
        "subscriptionName": SUBSCRIPTIONS[id_],
        "status": row["status"] if row else "NOT_SPECIFIED",
        "source": row["source"] if row else "No status set",
        "legalBasis": row["basis"] if row else None,
        "legalBasisExplanation": row["explanation"] if row else None,
        "timestamp": iso(row["at"] if row else 0),
        "businessUnitId": 0,
    }
    return {key: value for key, value in shown.items() if value is not None}


def seed(portal: Portal, rng: Random) -> None:
    """Let about half of the contacts have said something; some have unsubscribed."""
    consent, now = Consent(portal.world), millis(portal.world.clock.now())
    for number, contact in enumerate(portal.store.everything(object_type("contacts"), None)):
        address = contact.values.get("email")
        if not address or number % 2:
            continue
        gone = number % 10 == 0
        given = {
            "subscriptionId": rng.choice(tuple(SUBSCRIPTIONS)),
            "statusState": "UNSUBSCRIBED" if gone else "SUBSCRIBED",
            "legalBasis": None if gone else "CONSENT_WITH_NOTICE",
            "legalBasisExplanation": None if gone else "Ticked the box on the sign-up form.",
        }
        consent.put(address, given, "Preferences page" if gone else "Form", now - 90 * DAY)


def _answer(portal: Portal, results: list[Any], status: int = 200, **more: Any) -> Reply:
    now = iso(portal.store.now())
    body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    return Reply.of(status, body | more)


def _channel(call: Call) -> None:
    if call.request.one("channel") != "EMAIL":
        raise invalid("channel is required and must be EMAIL")


def definitions(portal: Portal, _: Call) -> Reply:
    """GET /definitions."""
    at = iso(portal.store.now() - 700 * DAY)
    results = [
        {
            "id": str(id_),
            "name": name,
            "description": f"{name} by e-mail",
            "purpose": "Marketing",
            "communicationMethod": "Email",
            "isActive": True,
            "isDefault": True,
            "isInternal": False,
            "businessUnitId": 0,
            "createdAt": at,
            "updatedAt": at,
        }
        for id_, name in SUBSCRIPTIONS.items()
    ]
    return _answer(portal, results)


def read(portal: Portal, call: Call) -> Reply:
    """GET /statuses/{address}."""
    _channel(call)
    return _answer(portal, Consent(portal.world).of(_address(call.parts[0])))


def batch_read(portal: Portal, call: Call) -> Reply:
    """POST /statuses/batch/read: the inputs are bare addresses."""
    _channel(call)
    found = call.body().get("inputs")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise invalid("Invalid input JSON: inputs must be a list of strings")
    if not 1 <= len(found) <= _MOST:
        raise invalid(f"inputs must hold 1 to {_MOST} addresses, not {len(found)}")
    consent = Consent(portal.world)
    results = [
        {"subscriberIdString": one, "statuses": consent.of(_address(one))}
        for one in dict.fromkeys(found)
    ]
    return _answer(portal, results)


def write(portal: Portal, call: Call) -> Reply:
    """POST /statuses/{address}."""
    return _answer(portal, [_set(portal, _address(call.parts[0]), call.body())])


def batch_write(portal: Portal, call: Call) -> Reply:
    """POST /statuses/batch/write: what is refused fails alone."""
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for given in call.inputs(_MOST):
        try:
            address = _address(str(given.get("subscriberIdString", "")))
            results.append(_set(portal, address, given))
        except Refusal as refusal:
            about = {"subscriberIdString": [str(given.get("subscriberIdString", ""))]}
            errors.append(refusal.body() | {"context": about})
    if errors:
        return _answer(portal, results, 207, numErrors=len(errors), errors=errors)
    return _answer(portal, results)


def _address(text: str) -> str:
    name, at, domain = text.partition("@")
    if not (name and at and "." in domain) or text != text.strip():
        raise invalid("The subscriber is not a valid email address")
    return text


def _set(portal: Portal, address: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check one order of a status and carry it out."""
    check(portal, given)
    consent = Consent(portal.world)
    reason = consent.put(address, given, _API, portal.store.now())
    touch(portal, address)
    now = next(o for o in consent.of(address) if o["subscriptionId"] == given["subscriptionId"])
    return now | {"setStatusSuccessReason": reason}


def check(portal: Portal, given: dict[str, Any]) -> None:
    """Check one order of a status.

    Raises:
        Refusal: 400; under the GDPR nobody is subscribed without a legal basis and its reason.
    """
    if given.get("subscriptionId") not in SUBSCRIPTIONS:
        raise invalid(f"There is no subscription {given.get('subscriptionId')}")
    if given.get("channel") != "EMAIL":
        raise invalid("channel is required and must be EMAIL")
    if given.get("statusState") not in STATUSES:
        raise invalid(f"statusState must be one of {', '.join(STATUSES)}")
    basis = given.get("legalBasis")
    if basis is not None and basis not in BASES:
        raise invalid(f"legalBasis must be one of {', '.join(BASES)}")
    told = basis and given.get("legalBasisExplanation")
    if portal.switches.gdpr and given["statusState"] == "SUBSCRIBED" and not told:
        raise invalid("legalBasis and legalBasisExplanation are required for this portal")


def touch(portal: Portal, address: str) -> None:
    """Move the stamp of the contact with an address: its opt-out properties follow a status."""
    contact = portal.store.by_handle(object_type("contacts"), address.lower())
    if contact is not None:
        contact.modified = portal.store.now()
        portal.store.put(contact, contact.modified)
