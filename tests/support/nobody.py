"""Acts as somebody who may not write, whoever runs the tests."""

import os
from collections.abc import Callable

NOBODY = 65534
_CRASHED = 70


def as_nobody(act: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """Return the exit code and the words of something that a process without rights does."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        code = _CRASHED
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            code, said = act()
            os.write(into, said.encode())
        finally:
            os._exit(code)
    os.close(into)
    _, status = os.waitpid(child, 0)
    with os.fdopen(out) as told:
        return os.waitstatus_to_exitcode(status), told.read()
