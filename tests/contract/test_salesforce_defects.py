"""Measured defects of simple-salesforce 1.12.10 that no user of crmtrail may feel.

Each test names the defect as the library has it, and shows what a user sees instead. Those that
concern logins are in test_salesforce_logins.py, those of single modules in
test_salesforce_library_defects.py.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from types import NoneType
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import msgspec
import pytest
import requests
from pydantic import SecretStr

from connectors.salesforce import connect
from connectors.salesforce.client import Client
from connectors.salesforce.tokens import tokens_for
from crmtrail.app import App
from crmtrail.auth_config import JwtAuth
from crmtrail.config import SourceConfig, load
from crmtrail.model import Answer, Ref, Removal, Verdict, Write
from crmtrail.sessions import Sessions
from support.connector_rig import drive
from support.login_org import CONSUMER, PEM, USER, LoginOrg
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock
from support.scripted_http import ScriptedServer

BULK = 2_001
"""The fewest records that go through a Bulk job."""


@pytest.fixture
def rig() -> Iterator[SalesforceRig]:
    with salesforce_rig() as opened:
        opened.object = "Contact"
        yield opened


def contacts(rig: SalesforceRig, count: int) -> list[str]:
    made = [{"fields": {"LastName": f"L{number}"}} for number in range(count)]
    done = rig.sandbox.act("salesforce", do="create", object="Contact", records=made)
    rig.turn(60)
    return [str(id_) for id_ in done["ids"]]


def titled(ids: Sequence[str]) -> list[Write]:
    return [Write(Ref("sf", "Contact", id_), {"Title": '"ours"'}, id_) for id_ in ids]


def restored(rig: SalesforceRig, writes: Sequence[Write]) -> Sequence[Answer]:
    with closing(rig.connect_restorer()) as sf:
        return sf.write("Contact", writes)


def ours(rig: SalesforceRig) -> set[str]:
    found = rig.sandbox.truth("salesforce", "Contact")
    return {one["Id"] for one in found if one["Title"] == "ours"}


def asked(rig: SalesforceRig, word: str) -> list[dict[str, Any]]:
    return [one for one in rig.sandbox.requests(crm="salesforce") if word in one["target"]]


def status(rig: SalesforceRig, path: str) -> int:
    headers = {"Authorization": f"Bearer {rig.people['tokens']['restorer']}"}
    url = f"{rig.server.url}/services/data/v62.0/{path}"
    return requests.get(url, headers=headers, timeout=30).status_code


# --- D6: the library's bulk clients raise at the first 401, and a long job is lost ----------------


def test_d6_a_bulk_load_outlives_its_session(rig: SalesforceRig) -> None:
    contacts(rig, 300)
    rig.act(do="shrink_pages", rows=50)
    rig.act(do="bulk", polls=0, page_rows=50)
    who = rig.people["clients"]["observer"]
    auth = JwtAuth(
        method="jwt",
        client_id=who["client_id"],
        username=who["username"],
        private_key=SecretStr(who["private_key"]),
    )
    settings = rig.settings("observer", auth=auth, bulk_above=100, history_months=0)
    for path in ("/jobs/query$", "/jobs/query/75[^/]*$", "locator"):
        rig.sandbox.fault("unauthorized", crm="salesforce", path=path)
    with closing(connect("sf", settings, auth, WallClock())) as sf:
        run = drive(rig, sf)
    assert set(run.ids()) >= set(rig.truth())
    refused = [one for one in asked(rig, "/jobs/query") if one["status"] == 401]
    assert len(refused) == 3
    made = [one for one in asked(rig, "/jobs/query") if one["method"] == "POST"]
    assert [one["status"] for one in made] == [401, 200], "one job, none made twice"


# --- D7: where exactly one record remains for the last batch, it is never sent --------------------


@pytest.mark.parametrize("count", [1, 26, 101, 201, BULK])
def test_d7_the_last_record_is_never_left_behind(rig: SalesforceRig, count: int) -> None:
    ids = contacts(rig, count)
    answers = restored(rig, titled(ids))
    assert [one.key for one in answers] == ids
    assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
    assert ours(rig) == set(ids)


# --- D9: delete_job parses the empty body of a 204, and fails after it has succeeded --------------


def test_d9_a_load_ends_well_after_its_job_was_thrown_away(rig: SalesforceRig) -> None:
    contacts(rig, 300)
    rig.act(do="shrink_pages", rows=50)
    rig.act(do="bulk", polls=0)
    with closing(rig.connect_as("observer", bulk_above=100, history_months=0)) as sf:
        run = drive(rig, sf)
    assert set(run.ids()) >= set(rig.truth())
    (thrown,) = [one for one in asked(rig, "/jobs/query/") if one["method"] == "DELETE"]
    assert thrown["status"] == 204
    assert status(rig, thrown["target"].partition("v62.0/")[2]) == 404, "the job is gone"
    assert run.pages[-1].done


# --- D13: an ingest whose rows failed is reported as done; D19: a path that no org has ------------


def test_d13_every_row_that_a_job_refuses_is_told_with_its_words(rig: SalesforceRig) -> None:
    ids = contacts(rig, BULK)
    locked = ids[::500]
    rig.act(do="lock", object="Contact", ids=locked)
    answers = {answer.key: answer for answer in restored(rig, titled(ids))}
    assert set(answers) == set(ids)
    refused = {key for key, one in answers.items() if one.verdict is Verdict.REFUSED}
    accepted = {key for key, one in answers.items() if one.verdict is Verdict.ACCEPTED}
    assert refused == set(locked)
    assert accepted == ours(rig) == set(ids) - refused
    for key in refused:
        assert answers[key].code == "ENTITY_IS_LOCKED"
        assert answers[key].message
        assert answers[key].hint
    assert asked(rig, "/jobs/ingest"), "it went through a job"


def test_d19_rows_that_a_broken_job_left_are_known_not_to_be_written(rig: SalesforceRig) -> None:
    ids = contacts(rig, BULK)
    rig.act(do="bulk", fail_ingest_after=7)
    answers = {answer.key: answer for answer in restored(rig, titled(ids))}
    written = ours(rig)
    assert len(written) == 7
    assert {key for key, one in answers.items() if one.verdict is Verdict.ACCEPTED} == written
    left = [one for key, one in answers.items() if key not in written]
    assert {one.code for one in left} == {"UNPROCESSED"}
    paths = {one["target"].rpartition("/")[2] for one in asked(rig, "/jobs/ingest/75")}
    assert "unprocessedrecords" in paths, "as it is documented, in small letters"


# --- D16: a moment without a zone gives a malformed window to /updated and /deleted ---------------


@pytest.fixture(params=["Asia/Kolkata", "America/St_Johns", "UTC"])
def somewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    zone: str = request.param
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        yield zone
    time.tzset()


def test_d16_windows_are_whole_moments_wherever_the_process_runs(
    rig: SalesforceRig, somewhere: str
) -> None:
    ids = contacts(rig, 3)
    with closing(rig.connect()) as sf:
        first = drive(rig, sf)
        rig.act(do="delete", object="Contact", ids=ids[:1])
        rig.act(do="purge", object="Contact", ids=ids[:1])
        rig.turn(120)
        since = len(asked(rig, "/deleted/"))
        second = drive(rig, sf, first.position)
    gone = [one for one in second.removals if isinstance(one, Removal)]
    assert [one.ref.id for one in gone] == ids[:1], "only /deleted tells of it"
    windows = asked(rig, "/deleted/")[since:]
    assert windows
    for one in windows:
        assert one["status"] == 200
        told = parse_qs(urlsplit(one["target"]).query)
        for edge in ("start", "end"):
            assert told[edge][0].endswith("+00:00"), somewhere


# --- D18: format_soql refuses Decimal, and an empty list becomes "()" -----------------------------


def test_d18_reading_nothing_asks_nothing(rig: SalesforceRig) -> None:
    with closing(rig.connect()) as sf:
        sf.schema("Contact")
        before = sf.calls
        assert sf.read("Contact", []) == {}
        assert sf.read("Contact", [], trail=True) == {}
        assert sf.read("Contact", ["no id at all"]) == {}
        assert sf.calls == before


def test_d18_no_query_has_an_empty_list(rig: SalesforceRig) -> None:
    with closing(rig.connect()) as sf:
        for object_ in ("Contact", "Opportunity", "LoginHistory", "SetupAuditTrail"):
            rig.object = object_
            sf.schema(object_)
            position = drive(rig, sf).position
            drive(rig, sf, position)  # a quiet poll: there is nobody and nothing to ask for
    queries = asked(rig, "?q=")
    assert queries
    for one in queries:
        assert one["status"] == 200, unquote_plus(one["target"])
        assert "IN ()" not in unquote_plus(one["target"])


@pytest.mark.parametrize("count", [1, 150])
def test_d18_decimals_are_compared_and_restored_to_the_last_digit(
    rig: SalesforceRig, count: int
) -> None:
    exact = "1234567890123.45"
    ids = [
        str(id_)
        for id_ in rig.sandbox.act(
            "salesforce",
            do="create",
            object="Account",
            records=[{"fields": {"Name": f"N{n}", "AnnualRevenue": 1}} for n in range(count)],
        )["ids"]
    ]
    rig.turn(60)
    writes = [Write(Ref("sf", "Account", id_), {"AnnualRevenue": exact}, id_) for id_ in ids]
    with closing(rig.connect_restorer()) as sf:
        answers = sf.write("Account", writes)
        assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
        told = sf.read("Account", ids)
    assert {dict(told[i].fields)["AnnualRevenue"] for i in ids} == {exact}  # type: ignore[union-attr]


# --- D21: headers are changed in place, and a session is shared between threads -------------------


def identity() -> JwtAuth:
    return JwtAuth(method="jwt", client_id=CONSUMER, username=USER, private_key=SecretStr(PEM))


def client(url: str, sessions: Sessions) -> Client:
    auth = identity()
    settings = SourceConfig(kind="salesforce", base_url=url, auth=auth)
    tokens = tokens_for("sf", settings, auth, WallClock(), sessions)
    return Client("sf", settings, tokens, "62.0", WallClock())


def test_d21_no_header_of_a_write_is_seen_on_any_other_request() -> None:
    org, sessions, threads, rounds = LoginOrg(), Sessions(), 6, 8
    together = Barrier(threads)

    def work(number: int) -> None:
        with closing(client(server.url, sessions)) as sf:
            together.wait()
            for turn in range(rounds):
                mine = f"Tue, 24 Nov 2026 0{number}:00:0{turn} GMT"
                if number % 2:
                    path = f"sobjects/Account/{number}-{turn}"
                    sf.send("PATCH", path, NoneType, b"{}", headers={"If-Unmodified-Since": mine})
                sf.get(f"limits/{number}", dict[str, msgspec.Raw])
                if turn == rounds // 2 and number == 0:
                    org.expire()  # the others are in the middle of something

    with ScriptedServer(otherwise=org) as server, ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    for one in org.asked:
        told = one.headers.get("if-unmodified-since")
        if one.method == "GET":
            assert told is None
        else:
            number, turn = one.target.rpartition("/")[2].split("-")
            assert told == f"Tue, 24 Nov 2026 0{number}:00:0{turn} GMT"
    assert org.logins == 2


def test_d21_each_thread_has_a_connector_of_its_own_and_all_log_in_once(
    rig: SalesforceRig, tmp_path: Path
) -> None:
    who = rig.people["clients"]["observer"]
    (tmp_path / "sf.key").write_text(who["private_key"])
    config = tmp_path / "crmtrail.yaml"
    config.write_text(
        f"store: {{url: 'sqlite:///{tmp_path}/store.db'}}\n"
        f"sources: {{sf: {{kind: salesforce, base_url: '{rig.server.url}', objects: [Contact],"
        f" auth: {{method: jwt, client_id: '{who['client_id']}', username: '{who['username']}',"
        " key_file: sf.key}}}\n"
    )
    together = Barrier(4)
    with App(load(config, {})) as app, ThreadPoolExecutor(4) as pool:

        def look(_: int) -> tuple[int, str]:
            together.wait()
            sf = app.connector("sf")
            return id(sf), sf.identity().name

        seen = list(pool.map(look, range(4)))
    assert len({number for number, _ in seen}) == 4
    assert {name for _, name in seen} == {"CRM Observer"}
    assert len(asked(rig, "/services/oauth2/token")) == 1
