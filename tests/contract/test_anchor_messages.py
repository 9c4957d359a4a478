"""What a message promises: it says what it is for, comes back from a mail, tells no secret."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from crmtrail.anchor_config import MessageAnchor
from crmtrail.errors import AnchorFailed
from snapshot.anchors.message import MessageSink
from snapshot.anchors.saved import saved_notes
from support.outside import http_server, mail_server
from support.places import MEANS, MINE, TOKEN, Box, a_message, note

# Apprise imports all of its services at once; one of them uses what Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_a_message_says_what_it_is_for_and_holds_the_checkpoint_as_it_is(tmp_path, stack):
    place = a_message(tmp_path, stack)
    box = Box()
    url = stack.enter_context(http_server(box.take)).removeprefix("http://")
    settings = place.settings.model_copy(update={"apprise_url": secret(f"json://{url}")})
    MessageSink(settings, MEANS).send(note(5), MINE)
    (message,) = box.taken
    assert message["message"].endswith(f"\n\n{note(5).rstrip()}")
    assert "crmtrail verify --against FILE" in message["message"]
    assert message["title"] == f"crmtrail checkpoint: {MINE}, 5 entries"


def secret(text):
    return MessageAnchor(kind="message", to="x", apprise_url=text).apprise_url


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_a_mail_that_was_saved_gives_the_checkpoint_back(stack, form):
    port, mails = stack.enter_context(mail_server())
    url = (
        f"mailto://127.0.0.1:{port}?from=crmtrail@acme.example&to=audit@acme.example&format={form}"
    )
    settings = MessageAnchor(kind="message", to="auditors", apprise_url=url)
    MessageSink(settings, MEANS).send(note(5), MINE)
    (mail,) = mails
    assert [one for _, one in saved_notes(mail.decode(), [MINE])] == [note(5)]


@pytest.mark.parametrize("url", ["nonsense", f"slack://{TOKEN}", f"mailto://u:{TOKEN}@"])
def test_what_is_no_service_is_told_and_its_secret_is_not(url, caplog):
    settings = MessageAnchor(kind="message", to="auditors", apprise_url=url)
    with pytest.raises(AnchorFailed, match="message:auditors") as caught:
        MessageSink(settings, MEANS).send(note(5), MINE)
    assert TOKEN not in f"{caught.value}{caught.value.hint}{caplog.text}{settings!r}"
