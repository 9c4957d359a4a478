"""Webhooks bring polls forward; what they miss, duplicate or tell late changes nothing stored."""

import socket
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from crmtrail.app import App
from crmtrail.config import load
from crmtrail.errors import Mistake
from crmtrail.model import Ref
from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

SECRET = "4c1a4f9e-77aa-4b1b-9d5e-3f6f1c0a2b11"
EVENTS = ["contact.propertyChange", "contact.creation", "contact.deletion"]
PATIENCE = 60


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Portal:
    """A service that polls once an hour, with webhooks, over one sandbox portal."""

    def __init__(self, server, folder, port):
        self.sandbox = Sandbox(server.url)
        self.port = port
        self.url = f"http://127.0.0.1:{port}/hubspot"
        extra = "scheduler: {every: 1h, jitter: 0s, workers: 1}\n"
        objects = {"hs": "[contacts]", "sf": "[]"}
        text = config_for(
            server.url, self.sandbox, folder / "store.db", objects=objects, extra=extra
        )
        # HubSpot alone: the service is to do nothing besides.
        head, _, rest = text.partition("  sf:\n")
        hs = rest[rest.index("  hs:\n") :].replace(
            "    objects: [contacts]\n",
            "    objects: [contacts]\n"
            f'    webhooks: {{listen: "127.0.0.1:{port}", public_url: "{self.url}",'
            f' client_secret: "{SECRET}", delay: 1s}}\n',
        )
        self.folder = Folder(folder, head + hs)

    def subscribe(self):
        self.sandbox.act("hubspot", do="webhook", target=self.url, secret=SECRET, events=EVENTS)

    def edit(self, phone, where=0):
        """Let a user edit one contact, and return its id."""
        rows = self.sandbox.truth("hubspot", "contacts")
        id_ = sorted(one["id"] for one in rows if not one["deleted"])[where]
        user = self.sandbox.people("hubspot")["users"][0]["id"]
        actor = {"as": {"kind": "user", "id": user}}
        records = [{"id": id_, "fields": {"phone": phone}}]
        self.sandbox.act("hubspot", do="update", object="contacts", records=records, **actor)
        return id_

    @contextmanager
    def service(self):
        """Run the service; yields what waits for the end of a run, and the app."""
        app = App(load(self.folder.config))
        ended, stopping = threading.Condition(), threading.Event()
        runs = []

        def finished(run):
            with ended:
                runs.append(run)
                ended.notify_all()

        def wait_for(seen):
            with ended:
                assert ended.wait_for(lambda: seen(runs), PATIENCE), runs

        serving = threading.Thread(target=app.serve, args=(stopping, finished))
        serving.start()
        try:
            yield wait_for
        finally:
            stopping.set()
            serving.join(PATIENCE)
            app.close()
        assert not serving.is_alive()


@pytest.fixture
def portal(tmp_path):
    with build(size="tiny", seed=3) as server:
        yield Portal(server, tmp_path, free_port())


def first_run(runs):
    return bool(runs)


def _changes(app, ref, field):
    timeline = app.store.timeline(ref)
    return [c for one in timeline for c in one.changes if c.field == field]


def updates(count):
    return lambda runs: sum(run.kept.updated for run in runs) >= count


@pytest.mark.parametrize("habit", [{}, {"duplicates": True, "shuffle": True}])
def test_an_edit_is_polled_at_once_and_once(portal, habit):
    portal.subscribe()
    with portal.service() as wait_for:
        wait_for(first_run)
        if habit:
            portal.sandbox.act("hubspot", do="webhooks", **habit)
        id_ = portal.edit("+49 30 1")
        wait_for(updates(1))
        other = portal.edit("+49 30 2", where=1)
        wait_for(updates(2))
    with App(load(portal.folder.config)) as app:
        for one, phone in ((id_, "+49 30 1"), (other, "+49 30 2")):
            version = app.store.version(Ref("hs", "contacts", one))
            assert version.fields["phone"] == f'"{phone}"'
            made = [c.new for c in _changes(app, version.ref, "phone")]
            assert made.count(f'"{phone}"') == 1
        assert app.verify().ok


def test_what_no_webhook_told_is_found_by_the_poll(portal):
    with portal.service() as wait_for:
        wait_for(first_run)
        portal.edit("+49 30 3")  # nobody subscribed: nothing is sent
    run = portal.folder.ok("sync", "hs")["runs"][0]
    assert run["updated"] == 1


def test_a_port_in_use_is_one_line(portal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", portal.port))
        taken.listen()
        with App(load(portal.folder.config)) as app, pytest.raises(Mistake) as refused:
            app.serve(threading.Event())
    assert "sources.hs.webhooks.listen" in str(refused.value)


def test_the_delay_is_read(portal):
    config = load(portal.folder.config)
    assert config.sources["hs"].webhooks.delay == timedelta(seconds=1)
