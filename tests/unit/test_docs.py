"""The documents are tested like the code."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from crmtrail import errors
from crmtrail.cli.context import Context
from crmtrail.cli.main import program
from crmtrail.config import RulesConfig

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
COMMANDS = program.list_commands(None)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_explains_itself(command):
    assert f"`{command}`" in README
    done = CliRunner().invoke(program, [command, "--help"], obj=Context.missing())
    assert done.exit_code == 0
    assert len(done.output.splitlines()) > 4


def test_every_exit_code_is_in_the_readme():
    codes = {
        getattr(error, "exit_code", None)
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.CrmtrailError)
    }
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert codes | {0, 3, 4, 130} == told


def test_every_rule_is_in_the_readme():
    rules = set(RulesConfig.model_fields) - {"burst"}
    assert {rule for rule in rules if f"`{rule}`" in README} == rules


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_named_in_the_readme_exists():
    for path in re.findall(r"`(tests/[\w/.]+)`", README):
        assert (ROOT / path).exists(), path
