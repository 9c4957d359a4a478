"""The demo: an overwrite on both CRMs, noticed, planned, restored, checked against the truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from crmtrail.app import App
from crmtrail.cli.context import Context, console, table
from crmtrail.cli.look import clock, shown
from crmtrail.cli.plans import render_plan, render_totals
from crmtrail.cli.sync import telling
from crmtrail.config import Config, parse
from crmtrail.model import Incident, Mode, OnConflict, Plan, Receipt, Result
from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from rollback.selections import ByIncident

if TYPE_CHECKING:
    from rich.console import Console

_CONTACTS = 312
_DEALS = 120
_FEW = 3


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What went wrong in one CRM: the truth before it, by record, and who repaired what since."""

    crm: str
    object: str
    before: Mapping[str, Mapping[str, Any]]
    fields: tuple[str, ...]
    repaired: dict[str, dict[str, Any]]


def tell(context: Context, folder: Path) -> int:
    """Run the demo in a folder; return 0 if everything ended as it should, else 1."""
    story = _Story(context, folder)
    try:
        return story.run()
    finally:
        story.close()


class _Story:
    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._out: Console = console()
        self._started = monotonic()
        self._server = build(size="small").start()
        self._crm = Sandbox(self._server.url)
        self._app = App(_config(folder, self._server.url, self._crm))

    def close(self) -> None:
        self._app.close()
        self._server.stop()

    def run(self) -> int:
        self._scene("1. Two CRMs", "A pretend Salesforce and a pretend HubSpot run inside this"
                    " program and speak their real wire formats over HTTP.")  # fmt: skip
        self._sync("First sync: every record is read and kept.")
        self._scene("2. A bad morning")
        contacts = self._blank_contacts()
        deals = self._move_deals()
        self._sync("The next scheduled sync reads only what changed.")
        self._scene("3. Noticed")
        incidents = sorted(self._app.store.incidents(), key=lambda one: one.operation.source)
        self._show(incidents)
        self._scene(
            "4. What a restore would write",
            "A plan writes nothing. Each step says what it expects to find; a field that"
            " somebody fixed since is left alone.",
        )
        plans = [self._plan(incident) for incident in incidents]
        self._repair_contact(contacts)
        self._scene("5. Restore")
        receipts = [self._apply(plan) for plan in plans]
        self._scene("6. Checked against the CRMs' own records")
        ok = self._verify(contacts) & self._verify(deals) & self._quiet() & self._sealed()
        ok &= [sum(receipt.outcomes.values()) for receipt in receipts] == [_DEALS, _CONTACTS]
        seconds = monotonic() - self._started
        self._say(f"\n{'All as it should be' if ok else 'SOMETHING IS WRONG'}, in {seconds:.0f} s.")
        return 0 if ok else 1

    def _say(self, text: str) -> None:
        self._out.print(text, markup=False)

    def _scene(self, title: str, text: str = "") -> None:
        self._out.print(f"\n[bold]{title}[/bold]")
        if text:
            self._say(text)

    def _sync(self, text: str) -> None:
        self._say(text)
        rows = []
        for target in self._app.targets(()):
            began = monotonic()
            with self._context.progress(f"{target.source}:{target.object}") as bar:
                run = self._app.sync(target, Mode.INCREMENTAL, progress=telling(bar))
            if run.failure is not None:
                raise RuntimeError(run.failure.message)
            rows.append(
                (
                    f"{target.source}:{target.object}",
                    f"{run.kept.read:,}",
                    f"{run.kept.changes:,}",
                    run.api_calls,
                    f"{monotonic() - began:.1f} s",
                )
            )
        self._out.print(table("", ("object", "read", "changes", "API calls", "time"), rows))

    def _blank_contacts(self) -> _Wrong:
        people = self._crm.truth("salesforce", "Contact")
        hit = [one for one in people if one["Phone"] and one["Email"]][:_CONTACTS]
        blank = [{"id": one["Id"], "fields": {"Phone": None, "Email": None}} for one in hit]
        self._crm.act(
            "salesforce",
            **{"as": {"kind": "app", "name": "Marketing Sync"}},
            do="update",
            object="Contact",
            records=blank,
        )
        self._say(f"Salesforce: the integration Marketing Sync blanks phone and e-mail"
                  f" of {len(hit)} contacts.")  # fmt: skip
        return _Wrong(
            "salesforce", "Contact", {one["Id"]: one for one in hit}, ("Phone", "Email"), {}
        )

    def _move_deals(self) -> _Wrong:
        deals = self._crm.truth("hubspot", "deals")
        hit = [one for one in deals if _is_open(one["properties"])][:_DEALS]
        lost = [{"id": one["id"], "fields": {"dealstage": "closedlost"}} for one in hit]
        self._crm.act(
            "hubspot",
            **{"as": {"kind": "app", "name": "Ledgerline Sync"}},
            do="update",
            object="deals",
            records=lost,
        )
        self._say(f"HubSpot: the app Ledgerline Sync sets {len(hit)} deals to closedlost.")
        wrong = _Wrong(
            "hubspot",
            "deals",
            {one["id"]: one["properties"] for one in hit},
            ("dealstage",),
            {one["id"]: {"dealstage": "contractsent"} for one in hit[:2]},
        )
        self._repair(wrong)
        return wrong

    def _repair_contact(self, contacts: _Wrong) -> None:
        first = next(iter(contacts.before))
        contacts.repaired[first] = {"Phone": "+44 20 7946 0999"}
        self._say("\nMeanwhile ...")
        self._repair(contacts)

    def _repair(self, wrong: _Wrong) -> None:
        colleague = self._crm.people(wrong.crm)["users"][0]
        records = [{"id": id_, "fields": dict(new)} for id_, new in wrong.repaired.items()]
        self._crm.act(
            wrong.crm,
            **{"as": {"kind": "user", "id": colleague["id"]}},
            do="update",
            object=wrong.object,
            records=records,
        )
        count = "one record" if len(records) == 1 else f"{len(records)} of them"
        self._say(f"{colleague['name']} repairs {count} by hand, with a newer value.")

    def _show(self, incidents: Sequence[Incident]) -> None:
        for one in incidents:
            finding, cluster = one.finding, one.operation
            self._out.print(
                table(
                    "",
                    (one.id, ""),
                    (
                        ("what", f"{finding.title} ({finding.severity})"),
                        ("who", str(cluster.actor)),
                        ("when", f"{clock(cluster.started)} to {clock(cluster.ended)}"),
                        ("why told", finding.why),
                        *self._samples(one),
                    ),
                )
            )

    def _samples(self, incident: Incident) -> Iterator[tuple[str, str]]:
        for change_set in islice(self._app.store.members(incident.operation.id), 2):
            for change in change_set.changes:
                if change.field in incident.finding.fields:
                    values = f"{shown(change.old)} → {shown(change.new)}"
                    yield "for example", f"{change_set.ref} {change.field}: {values}"

    def _plan(self, incident: Incident) -> Plan:
        plan = self._app.plan(ByIncident(incident.id), OnConflict.KEEP)
        steps = (one.step for one in self._app.journal.steps(plan.id))
        render_plan(self._out, plan, islice(steps, _FEW))
        self._say(f"  ... {sum(plan.counts.values()) - _FEW} more")
        render_totals(self._out, plan)
        return plan

    def _apply(self, plan: Plan) -> Receipt:
        with self._context.progress(f"plan {plan.id}") as bar:
            applied = self._app.apply(plan.id, progress=lambda at: bar(at.done, at.planned, ""))
        receipt = applied.receipt
        if receipt is None:
            raise RuntimeError("the restore was stopped")
        counted = ", ".join(f"{receipt.outcomes.get(result, 0)} {result}" for result in Result)
        self._say(
            f"Receipt of plan {plan.id}: {receipt.planned} planned = {counted};"
            f" {receipt.api_calls} API calls; sealed as ledger entry {receipt.leaf}"
        )
        for step, outcome in applied.steps():
            if outcome.result is Result.CONFLICT:
                self._say(f"  ! {step.ref}: {outcome.detail}")
        return receipt

    def _verify(self, wrong: _Wrong) -> bool:
        right = kept = 0
        for record in self._crm.truth(wrong.crm, wrong.object):
            values = record if "Id" in record else record["properties"]
            id_ = record.get("Id") or record["id"]
            if id_ not in wrong.before:
                continue
            mine = wrong.repaired.get(id_, {})
            good = all(
                values[name] == mine.get(name, wrong.before[id_][name]) for name in wrong.fields
            )
            right += good and not mine
            kept += good and bool(mine)
        wanted = len(wrong.before) - len(wrong.repaired)
        self._say(
            f"{wrong.crm}: {right} of {wanted} {wrong.object} records hold their old values"
            f" again; {kept} of {len(wrong.repaired)} repaired by hand were not touched."
        )
        return right == wanted and kept == len(wrong.repaired)

    def _quiet(self) -> bool:
        """Sync once more: our own restore must raise no alarm."""
        before = len(self._app.store.incidents())
        for target in self._app.targets(()):
            self._app.sync(target, Mode.INCREMENTAL)
        after = len(self._app.store.incidents())
        self._say(f"One more sync: {after - before} new incidents from our own restore.")
        return after == before

    def _sealed(self) -> bool:
        found = self._app.verify()
        self._say(f"Ledger: {found.entries:,} entries recomputed,"
                  f" {'all as written' if found.ok else 'ALTERED'}.")  # fmt: skip
        return found.ok


def _is_open(deal: Mapping[str, Any]) -> bool:
    return bool(deal["pipeline"] == "default" and not deal["dealstage"].startswith("closed"))


def _config(folder: Path, url: str, crm: Sandbox) -> Config:
    """Write the configuration of the demo and read it back, as a user's is read."""
    sf, hs = crm.people("salesforce")["tokens"], crm.people("hubspot")["tokens"]
    text = f"""\
user: you
store: {{url: "sqlite:///{folder / "crmtrail.db"}"}}
sources:
  hs:
    kind: hubspot
    base_url: {url}
    auth: {{method: token, token: "{hs["observer"]}"}}
    restore_auth: {{method: token, token: "{hs["restorer"]}"}}
    objects: [contacts, companies, deals]
  sf:
    kind: salesforce
    base_url: {url}
    auth: {{method: token, token: "{sf["observer"]}"}}
    restore_auth: {{method: token, token: "{sf["restorer"]}"}}
    objects: [Account, Contact, Opportunity, OpportunityLineItem, Quote]
"""
    (folder / "crmtrail.yaml").write_text(text, encoding="utf-8")
    return parse(text, {})
