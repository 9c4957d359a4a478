"""Run the command line in this process, as a user would in a folder of theirs."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

from crmtrail.cli.main import run


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, f"not one JSON document: {self.out!r} {self.err!r}"
        return json.loads(lines[0])


class Folder:
    """A folder with a crmtrail.yaml in it."""

    def __init__(self, path: Path, config: str) -> None:
        self.path = path
        self.config = path / "crmtrail.yaml"
        self.config.write_text(config, encoding="utf-8")
        self.config.chmod(0o600)

    def crmtrail(self, *arguments, as_json=True):
        flags = ["--config", str(self.config), *(["--json"] if as_json else [])]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*flags, *arguments])
        return Ended(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments):
        ended = self.crmtrail(*arguments)
        assert ended.code == 0, f"{arguments}: exit {ended.code}: {ended.err}{ended.out}"
        return ended.json


def config_for(url, sandbox, store, *, objects=None, extra=""):
    """Write a configuration for a running sandbox."""
    sf = sandbox.people("salesforce")["tokens"]
    hs = sandbox.people("hubspot")["tokens"]
    wanted = {"sf": "[Account, Contact, Opportunity]", "hs": "[contacts, companies, deals]"}
    wanted |= objects or {}
    return f"""\
user: ana
store: {{url: "sqlite:///{store}"}}
sources:
  sf:
    kind: salesforce
    base_url: {url}
    auth: {{method: token, token: "{sf["observer"]}"}}
    restore_auth: {{method: token, token: "{sf["restorer"]}"}}
    objects: {wanted["sf"]}
  hs:
    kind: hubspot
    base_url: {url}
    auth: {{method: token, token: "{hs["observer"]}"}}
    restore_auth: {{method: token, token: "{hs["restorer"]}"}}
    objects: {wanted["hs"]}
{extra}"""
