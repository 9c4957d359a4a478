"""What every command shares: the options, the app on demand, and the two output channels.

Standard output holds the answer: one JSON document, or tables for people. All talk goes to
standard error.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from crmtrail.errors import Mistake

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.app import App


Tell: TypeAlias = Callable[[int, int | None, str], None]
"""Moves a progress bar: done, total, words."""


@dataclass(slots=True)
class Context:
    """The invocation."""

    config_path: Path
    as_json: bool
    no_input: bool
    verbose: int
    quiet: bool
    _app: "App | None" = field(default=None)

    @classmethod
    def missing(cls) -> "Context":
        """Return a context for errors before the options are read."""
        return cls(Path("crmtrail.yaml"), as_json=False, no_input=True, verbose=0, quiet=False)

    @property
    def app(self) -> "App":
        """The app over the configuration, opened at first use."""
        if self._app is None:
            from crmtrail.app import App
            from crmtrail.config import load

            self._app = App(load(self.config_path))
        return self._app

    def close(self) -> None:
        """Close the app, if it was opened."""
        if self._app is not None:
            self._app.close()
            self._app = None

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return not self.no_input and not self.as_json and sys.stdin.isatty()

    def answer(self, shape: object, render: "Callable[[Console], None]") -> None:
        """Print the answer: the shape as JSON, or what ``render`` writes for people."""
        if self.as_json:
            from crmtrail.shapes import encode

            sys.stdout.write(encode(shape).decode() + "\n")
            sys.stdout.flush()
        else:
            render(console())

    def say(self, text: str) -> None:
        """Talk to a person, on standard error."""
        if not self.quiet:
            click.echo(text, err=True)

    def refuse(self, message: str, hint: str, exit_code: int, **more: Any) -> None:
        """Tell an error in one line, and how to mend it; ``more`` goes into the JSON error."""
        click.echo(f"error: {message}", err=True)
        if hint:
            click.echo(f"hint: {hint}", err=True)
        if self.as_json:
            from crmtrail.shapes import encode

            error = {"message": message, "hint": hint, "exit_code": exit_code} | more
            click.echo(encode({"error": error}).decode())

    @contextmanager
    def progress(self, title: str) -> Iterator[Tell]:
        """Show a progress bar on a terminal; yields ``tell(done, total, words)``."""
        if self.quiet or self.as_json or not sys.stderr.isatty():
            yield lambda *_: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
            console=console(stderr=True),
            transient=True,
        ) as bars:
            task = bars.add_task(title, total=None, words="")

            def tell(done: int, total: int | None, words: str) -> None:
                bars.update(task, completed=done, total=total, words=words)

            yield tell


def console(*, stderr: bool = False) -> "Console":
    """Return a rich console that respects NO_COLOR and pipes."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, width=200, soft_wrap=True)


def command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command whose function gets the `Context` first.

    The options of the program work after the command too.
    """

    def wrap(function: Callable[..., Any]) -> click.Command:
        @wraps(function)
        def entered(*args: Any, **kwargs: Any) -> Any:
            context: Context = click.get_current_context().obj
            context.as_json = kwargs.pop("json_here") or context.as_json
            context.no_input = kwargs.pop("no_input_here") or context.no_input
            context.quiet = kwargs.pop("quiet_here") or context.quiet
            context.verbose += kwargs.pop("verbose_here")
            context.config_path = kwargs.pop("config_here") or context.config_path
            return function(context, *args, **kwargs)

        made: click.Command = click.command(name, **settings)(_program_options(entered))  # type: ignore[no-untyped-call]
        return made

    return wrap


def _program_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the options of the program stand after a command; only ``--json`` is in its help."""
    for option in (
        click.option("--json", "json_here", is_flag=True, help="Print one JSON document."),
        click.option("--no-input", "no_input_here", is_flag=True, hidden=True),
        click.option("-v", "--verbose", "verbose_here", count=True, hidden=True),
        click.option("-q", "--quiet", "quiet_here", is_flag=True, hidden=True),
        click.option("--config", "config_here", type=click.Path(path_type=Path), hidden=True),
    ):
        function = option(function)
    return function


def parse_time(text: str | None) -> Any:
    """Read a time option: RFC 3339, a date, or an age such as ``2h`` or ``7d``.

    Raises:
        Mistake: the text is none of these.
    """
    if text is None:
        return None
    import re
    from datetime import UTC, datetime, timedelta

    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    try:
        if match := re.fullmatch(r"(\d+)([smhdw])", text):
            return datetime.now(UTC) - timedelta(**{units[match[2]]: int(match[1])})
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Mistake(
            f"{text!r} is no time",
            hint="write 2026-11-20T09:55:00Z, 2026-11-20, or an age such as 2h or 7d",
        ) from None


def parse_record(text: str) -> Any:
    """Read a record argument, ``source:object:id``.

    Raises:
        Mistake: the text is no such thing.
    """
    from crmtrail.model import Ref

    try:
        return Ref.parse(text)
    except ValueError as error:
        raise Mistake(str(error), hint="for example sf:Contact:0035g00000AbCdEAAV") from None


_WHOLE = frozenset(
    {"when", "since", "started", "created", "expires", "complete", "complete to"}
    | {"record", "operation", "incident", "plan"}
)
"""Columns of times and ids, which nobody can use in pieces: where it is narrow, others fold."""


_PICTURES = {no: chr(0x2400 + no) for no in range(32) if chr(no) not in "\t\n"}
_PICTURES |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
"""What is shown of characters that would move the cursor or colour the screen."""


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Any:
    """Return a rich table of texts; nothing in a row is read as markup.

    What would steer the terminal, as anybody may have typed into a CRM, is shown as a sign for it.
    Columns named like times and ids never wrap; the others fold.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold", no_wrap=name in _WHOLE)
    for row in rows:
        made.add_row(
            *(Text("" if cell is None else str(cell).translate(_PICTURES)) for cell in row)
        )
    return made
