"""Try it without a CRM: sandbox, demo."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command
from crmtrail.cli.sync import stop_on_signals

if TYPE_CHECKING:
    from rich.console import Console


@command("sandbox", short_help="The pretend CRM, both wire formats on one port.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Which world.")
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "medium", "large"]),
    default="small",
    show_default=True,
    help="200, 2,000, 20,000 or 200,000 records.",
)
@click.option("--state", type=click.Path(path_type=Path), help="Keep the world in this file.")
def sandbox(context: Context, port: int, seed: int, size: str, state: Path | None) -> None:
    """Run the sandbox CRM until Ctrl-C. It is a pretend Salesforce and a pretend HubSpot."""
    from crmtrail.errors import Mistake
    from crmtrail.sandbox.build import build

    try:
        server = build(port=port, seed=seed, size=size, path=str(state) if state else ":memory:")
    except OSError as error:
        raise Mistake(
            f"port {port} cannot be used: {error.strerror}", hint="choose another with --port"
        ) from None
    with server, stop_on_signals() as stopping:
        people = {wire.crm: wire.people() for wire in server.wires}
        shape = {
            crm: {"base_url": server.url, "tokens": people[crm]["tokens"]} for crm in people
        } | {"control": f"{server.url}/_sandbox/"}

        def render(out: "Console") -> None:
            for crm, told in people.items():
                out.print(f"{crm:<11} base_url  {server.url}", markup=False)
                for name, token in told["tokens"].items():
                    out.print(f"{'':<11} {name:<9} {token}", markup=False)
            out.print(f"control     {server.url}/_sandbox/   (docs/sandbox.md)")
            out.print("Ctrl-C stops it.")

        context.answer(shape, render)
        stopping.wait()


@command("demo", short_help="The whole story on the sandbox.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep config and store here.")
def demo(context: Context, keep: Path | None) -> int:
    """Tell the whole story on an embedded sandbox: overwrite, notice, plan, restore, verify."""
    from tempfile import TemporaryDirectory

    from crmtrail.cli.demo import tell

    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return tell(context, keep)
    with TemporaryDirectory(prefix="crmtrail-demo-") as folder:
        return tell(context, Path(folder))
