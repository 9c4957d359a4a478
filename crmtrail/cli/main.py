"""The program: global options, lazy commands, errors to one line and an exit code.

Exit codes: 0 done; 1 error; 2 usage or config; 3 partly done; 4 incidents or differences found
(with ``--exit-code``); 5 verification failed; 10 no usable store; 11 locked by another runner;
12 the CRM refused the credentials; 13 plan stale or not approved; 14 API budget spent, the run
resumes; 130 cancelled.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from crmtrail.cli.context import Context
from crmtrail.errors import CrmtrailError

_COMMANDS = {
    "init": "setup",
    "doctor": "setup",
    "sync": "sync",
    "status": "sync",
    "log": "look",
    "show": "look",
    "history": "timeline",
    "blame": "timeline",
    "diff": "look",
    "operations": "noticed",
    "incidents": "noticed",
    "incident": "noticed",
    "expect": "expecting",
    "alerts": "alerting",
    "plan": "plans",
    "plans": "plans",
    "plan-show": "plans",
    "approve": "apply",
    "apply": "apply",
    "undo": "apply",
    "verify": "proof",
    "checkpoint": "evidence",
    "anchor": "evidence",
    "prove": "evidence",
    "key": "evidence",
    "actions": "actions",
    "export": "export",
    "erase": "forgetting",
    "hold": "forgetting",
    "retention": "forgetting",
    "backup": "safekeeping",
    "restore-store": "safekeeping",
    "store": "safekeeping",
    "serve": "serve",
    "worker": "serve",
    "sandbox": "play",
    "demo": "play",
}
"""Each command and the module that holds it, so that ``--help`` imports none of the rooms."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the manual."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"crmtrail.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="CRMTRAIL_CONFIG",
    default=Path("crmtrail.yaml"),
    show_default=True,
    help="The configuration file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--no-input", is_flag=True, help="Never ask; fail where an answer is needed.")
@click.option("-v", "--verbose", count=True, help="Say more; twice for traces.")
@click.option("-q", "--quiet", is_flag=True, help="Say only errors.")
@click.version_option(package_name="crmtrail", prog_name="crmtrail")
@click.pass_context
def program(
    ctx: click.Context,
    *,
    config_path: Path,
    as_json: bool,
    no_input: bool,
    verbose: int,
    quiet: bool,
) -> None:
    """Keep every version of every CRM record, notice overwrites, put the right values back."""
    context: Context = ctx.obj
    del as_json  # `run` looks for it before anything else, so that any error is JSON too.
    context.config_path, context.no_input = config_path, no_input
    context.verbose, context.quiet = verbose, quiet
    ctx.call_on_close(context.close)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; every error becomes one line on stderr."""
    given = list(_given(arguments))
    context = Context.missing()
    context.as_json = "--json" in given
    try:
        with program.make_context("crmtrail", given, obj=context) as ctx:
            result: Any = program.invoke(ctx)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except BaseException as error:
        message, hint, code = _told(error)
        if code is None or (context.verbose > 1 and not isinstance(error, click.exceptions.Exit)):
            raise
        if message:
            context.refuse(message, hint, code)
        return code
    return result if isinstance(result, int) else 0


def _told(error: BaseException) -> tuple[str, str, int | None]:
    """Return the line, the hint and the exit code for an error; code None: let it pass."""
    told: tuple[str, str, int | None] = ("", "", None)
    match error:
        case CrmtrailError():
            told = str(error), error.hint, error.exit_code
        case click.exceptions.Exit():
            told = "", "", error.exit_code
        case click.Abort() | KeyboardInterrupt():
            told = "cancelled", "", 130
        case click.UsageError():
            usage = error.ctx.get_usage() if error.ctx else ""
            told = error.format_message(), usage, 2
        case click.ClickException():
            told = error.format_message(), "", 2
        case Exception():
            name = type(error).__name__
            told = f"unexpected {name}", "run again with -vv to see the trace", 1
    return told


def _given(arguments: Sequence[str] | None) -> Sequence[str]:
    return sys.argv[1:] if arguments is None else arguments


def main() -> None:
    """Enter from the shell."""
    sys.exit(run())
