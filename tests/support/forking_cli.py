"""Runs the command line again and again, forked instead of imported anew. A script.

Standard input holds one JSON order a line, each with its ``arguments`` and the paths ``out`` and
``err``. For each order the script answers the process id, waits for a line before it lets the
process go, answers when the process has ended, and waits for a line before it takes its exit code
from the system and answers that. So the id cannot be given to another process while somebody
might still send it a signal.
"""

import json
import os
import sys
import traceback
from contextlib import closing
from importlib import import_module
from typing import Any

from connectors.hubspot import connect
from crmtrail.cli.main import run
from crmtrail.clock import SystemClock
from crmtrail.config import AuthConfig, SourceConfig

_NEEDED = (
    "alembic.command",
    "connectors.hubspot.connector",
    "connectors.salesforce.connector",
    "crmtrail.app",
    "crmtrail.cli.apply",
    "crmtrail.cli.sync",
    "crmtrail.shapes",
    "snapshot.tables",
)


def main() -> None:
    for name in _NEEDED:
        import_module(name)
    _import_hubspot()
    for line in sys.stdin:
        _carry_out(json.loads(line))


def _import_hubspot() -> None:
    """Make a connector once: HubSpot's client imports most of itself on demand."""
    auth = AuthConfig.model_validate({"token": "none"})
    settings = SourceConfig(kind="hubspot", base_url="http://127.0.0.1:9", auth=auth)
    with closing(connect("hs", settings, auth, SystemClock())):
        pass


def _carry_out(order: dict[str, Any]) -> None:
    gate, opener = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(opener)
        os.read(gate, 1)
        _become_the_program(order)
    os.close(gate)
    _answer(pid)
    sys.stdin.readline()
    os.close(opener)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    _answer("ended")
    sys.stdin.readline()
    _, status = os.waitpid(pid, 0)
    _answer(os.waitstatus_to_exitcode(status))


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _become_the_program(order: dict[str, Any]) -> None:
    """Run the program with its own standard streams, and never return."""
    code = 70
    try:
        for number, name in enumerate((os.devnull, order["out"], order["err"])):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(name, flags, 0o600), number)
        sys.argv = ["crmtrail", *order["arguments"]]
        code = run(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 -- a forked process must not go on as its parent
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
