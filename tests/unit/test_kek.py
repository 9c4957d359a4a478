"""Where the key-encryption key may live, and what each place says when something is wrong."""

import base64
import os
import stat
import threading

import keyring
import keyring.backend
import keyring.errors
import pyrage
import pytest

from crmtrail.config import Config, load, parse
from crmtrail.errors import Mistake
from crmtrail.keys_config import KekConfig
from snapshot.keys.kek import KekSource, fresh_kek
from snapshot.keys.kek_places import (
    in_age,
    in_credential,
    in_environment,
    in_file,
    in_keyring,
    kek_source,
)

OLD, NEW = fresh_kek(), fresh_kek()


def text(*keks):
    return "\n".join(base64.b64encode(kek).decode() for kek in keks)


class Locker(keyring.backend.KeyringBackend):
    """A system keyring in memory, which can be locked."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.locked = False

    def get_password(self, service, username):
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self._check()
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]

    def _check(self):
        if self.locked:
            raise keyring.errors.KeyringLocked("no")


@pytest.fixture
def locker():
    before, made = keyring.get_keyring(), Locker()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "crm-keys.kek"


def private(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    return path


# --- the file --------------------------------------------------------------------------------


def test_the_file_is_made_on_first_use_for_its_owner_alone(path):
    source = in_file(path)
    assert not source.exists()
    (kek,) = source.read_or_make()
    assert len(kek) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path], "no draft is left behind"
    assert source.read_or_make() == (kek,) == in_file(path).read()


def test_all_that_make_it_at_once_get_the_same(path):
    together, found = threading.Barrier(8), []

    def work():
        together.wait()
        found.append(in_file(path).read_or_make())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_key_in_use_comes_first_and_the_retired_behind_it(path):
    in_file(path).write((NEW, OLD))
    assert in_file(path).read() == (NEW, OLD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    in_file(path).write((NEW,))
    assert in_file(path).read() == (NEW,)
    assert text(OLD) not in path.read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(path, mode):
    in_file(path).read_or_make()
    path.chmod(mode)
    with pytest.raises(Mistake, match="can be read by others") as caught:
        in_file(path).read()
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_missing_file_is_told(path):
    with pytest.raises(Mistake, match=r"is missing: the file .* holds none"):
        in_file(path).read()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Mistake, match="cannot be written"):
        in_file(tmp_path / "none" / "kek").read_or_make()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"my secret words\n", "is not base64"),
        (b"\xff\xfe\x00", "is not base64"),
        (base64.b64encode(OLD[:31]), "is not 32 bytes long"),
        (base64.b64encode(OLD + b"x"), "is not 32 bytes long"),
        (base64.b64encode(bytes(32)), "is not random"),
        (text(OLD, OLD).encode(), "stands there twice"),
    ],
    # The keys are random, and every worker of a test run has to name a test alike.
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_damaged_key_is_told_without_its_secret(path, content, why):
    private(path, content)
    with pytest.raises(Mistake, match=why) as caught:
        in_file(path).read()
    assert "openssl rand -base64 32" in caught.value.hint
    told = f"{caught.value} {caught.value.hint}"
    for word in content.decode("latin-1").split():
        assert len(word) < 6 or word not in told


# --- the environment and systemd -------------------------------------------------------------


def test_a_variable_holds_the_key_and_perhaps_the_old_one():
    assert in_environment("CRM_KEK", {"CRM_KEK": text(NEW)}).read() == (NEW,)
    both = f"{text(NEW)} {text(OLD)}"
    assert in_environment("CRM_KEK", {"CRM_KEK": both}).read() == (NEW, OLD)


@pytest.mark.parametrize("environ", [{}, {"CRM_KEK": "  "}])
def test_an_unset_variable_is_told_and_never_filled_by_us(environ):
    source = in_environment("CRM_KEK", environ)
    with pytest.raises(Mistake, match="the environment variable CRM_KEK holds none"):
        source.read_or_make()
    with pytest.raises(Mistake, match="not ours to write"):
        source.write((NEW,))


def test_a_credential_of_systemd(tmp_path):
    (tmp_path / "crmtrail-kek").write_text(text(OLD) + "\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert in_credential("crmtrail-kek", environ).read() == (OLD,)
    with pytest.raises(Mistake, match="the systemd credential other holds none"):
        in_credential("other", environ).read()
    with pytest.raises(Mistake, match="CREDENTIALS_DIRECTORY is not set") as caught:
        in_credential("crmtrail-kek", {}).read()
    assert "LoadCredential" in caught.value.hint


# --- the system's keyring and age ------------------------------------------------------------


def test_the_system_keyring_is_filled_on_first_use(locker):
    (kek,) = in_keyring("crmtrail").read_or_make()
    assert in_keyring("crmtrail").read() == (kek,)
    assert not in_keyring("another").exists()
    in_keyring("crmtrail").write((NEW, kek))
    assert in_keyring("crmtrail").read() == (NEW, kek)
    assert set(locker.entries) == {("crmtrail", "kek")}


def test_a_locked_keyring_is_told(locker):
    locker.locked = True
    for call in (in_keyring("crmtrail").read, lambda: in_keyring("crmtrail").write((NEW,))):
        with pytest.raises(Mistake, match="cannot be used: KeyringLocked") as caught:
            call()
        assert "file, env or systemd" in caught.value.hint


@pytest.fixture
def age(tmp_path):
    """An identity file, and a function that encrypts to it."""
    identity = pyrage.x25519.Identity.generate()
    private(tmp_path / "id.txt", f"# created: today\n{identity}\n".encode())

    def encrypt(plain, *, armored=False):
        sealed = pyrage.encrypt(plain, [identity.to_public()], armored=armored)
        return private(tmp_path / "kek.age", sealed)

    return tmp_path / "id.txt", encrypt


@pytest.mark.parametrize("armored", [False, True])
def test_an_age_file_opens_with_its_identity(age, armored):
    identity, encrypt = age
    path = encrypt(text(NEW, OLD).encode(), armored=armored)
    assert in_age(path, identity).read() == (NEW, OLD)
    with pytest.raises(Mistake, match="not ours to write"):
        in_age(path, identity).write((NEW,))


def test_an_age_file_that_does_not_open_is_told(age, tmp_path):
    identity, encrypt = age
    path = encrypt(text(NEW).encode())
    stranger = private(tmp_path / "other.txt", str(pyrage.x25519.Identity.generate()).encode())
    with pytest.raises(Mistake, match="does not open") as caught:
        in_age(path, stranger).read()
    assert stranger.read_text() not in str(caught.value)
    with pytest.raises(Mistake, match="holds no age identity"):
        in_age(path, private(tmp_path / "odd.txt", b"my shopping list")).read()
    with pytest.raises(Mistake, match=r"the age identity .* cannot be read"):
        in_age(path, tmp_path / "none.txt").read()
    identity.chmod(0o644)
    with pytest.raises(Mistake, match="can be read by others"):
        in_age(path, identity).read()
    with pytest.raises(Mistake, match=r"the age file .* holds none"):
        in_age(tmp_path / "none.age", identity).read()


# --- the config ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "the file /x/crm-keys.kek"),
        ({"path": "/y/kek"}, "the file /y/kek"),
        ({"from": "env", "variable": "CRM_KEK"}, "the environment variable CRM_KEK"),
        ({"from": "systemd", "credential": "kek"}, "the systemd credential kek"),
        ({"from": "keyring", "service": "crmtrail"}, "the system keyring's entry crmtrail"),
        ({"from": "age", "path": "/y/k.age", "identity": "/y/id"}, "the age file /y/k.age"),
    ],
)
def test_the_config_chooses_the_place(path, settings, told):
    config = KekConfig.model_validate(settings)
    assert kek_source(config, path.parent / "crm-keys.db", {}).told == told.replace(
        "/x", str(path.parent)
    )


def test_a_key_store_on_a_server_has_no_place_beside_it():
    with pytest.raises(Mistake, match=r"keys\.kek\.path has to be given"):
        kek_source(KekConfig.model_validate({}), None, {})


@pytest.mark.parametrize(
    ("kek", "message"),
    [
        ("{from: vault}", "keys.kek.from: Input should be 'file', 'env'"),
        ("{from: env}", "keys.kek: from: env needs variable"),
        ("{from: env, variable: A, path: /x}", "keys.kek: path does not go with from: env"),
        ("{from: env, variable: 'A B'}", "keys.kek.variable: is the name of an environment"),
        ("{from: env, variable: CRMTRAIL_KEK}", "keys.kek.variable: cannot begin with CRMTRAIL_"),
        ("{from: systemd}", "from: systemd needs credential"),
        ("{from: systemd, credential: ../x}", "keys.kek.credential: is the name of a systemd"),
        ("{from: keyring}", "from: keyring needs service"),
        ("{from: age, path: /x}", "from: age needs identity"),
        ("{kind: file}", "keys.kek.kind is not a known key"),
    ],
)
def test_a_kek_that_does_not_fit_together_is_refused(kek, message):
    with pytest.raises(Mistake) as caught:
        parse(f"keys: {{kek: {kek}}}", {})
    assert message in str(caught.value)


def test_relative_paths_start_at_the_config(tmp_path):
    config = tmp_path / "crmtrail.yaml"
    config.write_text(
        "keys: {url: 'sqlite:///k/keys.db', kek: {from: age, path: k.age, identity: id.txt}}"
    )
    keys = load(config, {}).keys
    assert keys.url == f"sqlite:///{tmp_path}/k/keys.db"
    assert keys.kek.path == tmp_path / "k.age"
    assert keys.kek.identity == tmp_path / "id.txt"
    config.write_text("")
    assert load(config, {}).keys == Config().keys


def test_the_environment_overrides_the_place(monkeypatch):
    monkeypatch.setenv("CRMTRAIL_KEYS__KEK__FROM", "env")
    monkeypatch.setenv("CRMTRAIL_KEYS__KEK__VARIABLE", "CRM_KEK")
    kek = parse("", dict(os.environ)).keys.kek
    assert (kek.from_, kek.variable) == ("env", "CRM_KEK")


def test_a_source_shows_no_secret(path):
    source = in_environment("CRM_KEK", {"CRM_KEK": text(NEW)})
    assert isinstance(source, KekSource)
    assert text(NEW) not in repr(source)
    in_file(path).write((NEW,))
    assert text(NEW) not in repr(in_file(path))
