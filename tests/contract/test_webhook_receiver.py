"""The receiver over HTTP: what it answers, what it hands over, what it never says."""

import contextlib
import json
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests

from crmtrail import logs
from crmtrail.errors import Mistake
from crmtrail.hooks.listening import Listening
from crmtrail.hooks.receiver import MOST_BYTES, receiver
from crmtrail.hooks.signature import signature_of
from crmtrail.hooks.tally import Tally
from crmtrail.hooks_config import WebhooksConfig

SECRET = "4c1a4f9e-77aa-4b1b-9d5e-3f6f1c0a2b11"
PUBLIC = "https://crm.acme.example/hubspot"
PERSON = "ada.lovelace@acme.example"
EVENTS = [{"subscriptionType": "contact.propertyChange", "portalId": 1, "propertyValue": PERSON}]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE = 10


class Stopped:
    def now(self):
        return NOW


class Desk:
    """Takes what the receiver hands over."""

    def __init__(self):
        self.came = []
        self.ours = True
        self.broken = False
        self.stopping = False

    def take(self, events):
        if self.broken:
            raise RuntimeError(f"cannot take {PERSON}")
        self.came.append([one.subscription_type for one in events])
        return self.ours


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Log:
    """The log so far."""

    def __init__(self, capsys):
        self._capsys = capsys
        self._text = ""

    def getvalue(self):
        self._text += self._capsys.readouterr().err
        return self._text


class Post:
    """Posts as HubSpot does, signed unless told otherwise."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self._http = requests.Session()

    def __call__(self, events=EVENTS, *, path="/hubspot", at=NOW, secret=SECRET, **headers):
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        stamp = str(round(at.timestamp() * 1000))
        signed = {
            "X-HubSpot-Signature-v3": signature_of(
                secret, "POST", "https://crm.acme.example" + path, body, stamp
            ),
            "X-HubSpot-Request-Timestamp": stamp,
            "Content-Type": "application/json",
        } | headers
        kept = {name: value for name, value in signed.items() if value is not None}
        return self.send("POST", path, data=body, headers=kept)

    def send(self, method, path, **more):
        return self._http.request(method, self.url + path, timeout=PATIENCE, **more)

    def close(self):
        self._http.close()


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def log(capsys):
    logs.configure(verbose=0, quiet=False)
    return Log(capsys)


@pytest.fixture
def post(desk, log):
    port = free_port()
    settings = WebhooksConfig(listen=f"127.0.0.1:{port}", public_url=PUBLIC, client_secret=SECRET)
    tally = Tally("hs")
    app = receiver(settings, desk.take, Stopped(), tally, lambda: desk.stopping)
    with Listening(app, settings.address, "here"), contextlib.closing(Post(port)) as made:
        yield made
    tally.close()
    text = log.getvalue()
    assert PERSON not in text, "a log tells no values"
    assert SECRET not in text, "a log tells no secrets"


def test_what_hubspot_signed_is_taken_and_answered_without_a_word(post, desk):
    done = post()
    assert (done.status_code, done.content) == (204, b"")
    assert "server" not in done.headers
    assert desk.came == [["contact.propertyChange"]]


def test_a_replay_is_taken_for_five_minutes_and_not_afterwards(post, desk):
    stale = NOW - timedelta(minutes=5, seconds=1)
    assert [post().status_code, post().status_code, post(at=stale).status_code] == [204, 204, 401]
    assert len(desk.came) == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"secret": "another"}, "the signature is wrong"),
        ({"at": NOW + timedelta(minutes=6)}, "five minutes"),
        ({"at": NOW - timedelta(minutes=6)}, "five minutes"),
        ({"X-HubSpot-Signature-v3": None}, "not signed"),
        ({"X-HubSpot-Request-Timestamp": None}, "not signed"),
        ({"X-HubSpot-Request-Timestamp": "soon"}, "not a number"),
        ({"X-HubSpot-Signature-v3": "AAAA"}, "the signature is wrong"),
    ],
)
def test_what_is_not_signed_rightly_is_refused_in_one_line(post, desk, changed, words):
    done = post(**changed)
    assert done.status_code == 401
    assert words in done.text
    assert done.text.count("\n") == 1
    assert desk.came == []


def test_the_host_that_a_request_names_counts_for_nothing(post):
    assert post(Host="evil.example").status_code == 204
    assert post(**{"X-Forwarded-Host": "evil.example", "Forwarded": "host=e"}).status_code == 204


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(post, desk):
    large = b" " * (MOST_BYTES + 1)
    assert post(large).status_code == 413

    def streamed():
        yield from (large[start : start + 65_536] for start in range(0, len(large), 65_536))

    stamp = str(round(NOW.timestamp() * 1000))
    headers = {"X-HubSpot-Signature-v3": "AAAA", "X-HubSpot-Request-Timestamp": stamp}
    # The server hangs up while the rest is still on its way.
    with contextlib.suppress(requests.ConnectionError):
        done = post.send("POST", "/hubspot", data=streamed(), headers=headers)
        assert done.status_code == 413
    assert post(b" " * 1_000_000 + b"[]").status_code == 204
    assert desk.came == [[]]


@pytest.mark.parametrize("body", [b"", b"{}", b'["' + PERSON.encode() + b'"]', b"\xff\xfe"])
def test_what_is_no_list_of_events_is_a_bad_request(post, desk, body):
    done = post(body)
    assert (done.status_code, done.text) == (400, "the body is no JSON list of events\n")
    assert desk.came == []


def test_events_of_another_portal_are_refused(post, desk):
    desk.ours = False
    done = post()
    assert (done.status_code, done.text) == (400, "the events are of another portal\n")


def test_other_methods_are_not_served(post, desk):
    assert post.send("GET", "/hubspot").status_code == 405
    assert desk.came == []


def test_a_failure_of_ours_is_told_by_its_type_alone(post, desk, log):
    desk.broken = True
    done = post()
    assert done.status_code == 500
    assert PERSON not in done.text
    assert '"error": "RuntimeError"' in log.getvalue()


def test_a_service_that_stops_asks_hubspot_to_come_again(post, desk):
    desk.stopping = True
    assert post().status_code == 503
    assert desk.came == []


def test_a_port_that_is_in_use_is_told_in_one_line(desk):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = other.getsockname()
        settings = WebhooksConfig(public_url=PUBLIC, client_secret=SECRET)
        app = receiver(settings, desk.take, Stopped(), Tally("hs"), lambda: False)
        with pytest.raises(Mistake, match=rf"listen: cannot listen on 127.0.0.1:{address[1]}"):
            Listening(app, address, "sources.hs.webhooks.listen")


def test_counts_are_told_once_in_a_period_and_at_the_end(log):
    told = threading.Event()
    lines = log

    class Telling(Tally):
        def tell(self):
            super().tell()
            told.set()

    tally = Telling("hs", 0.05)
    tally.add({"requests": 1, "taken": 3})
    tally.add({"requests": 1, "taken": 2, "unknown": 0})
    assert told.wait(PATIENCE)
    tally.add({"requests": 1, "unauthorised": 1})
    tally.close()
    tally.close()

    first, second = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert first.pop("timestamp")
    assert second.pop("timestamp")
    assert first == {
        "event": "webhooks", "level": "info", "source": "hs", "requests": 2, "taken": 5,
    }  # fmt: skip
    assert second == {
        "event": "webhooks", "level": "warning", "source": "hs", "requests": 1, "unauthorised": 1,
    }  # fmt: skip
