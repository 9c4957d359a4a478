"""Run the fault matrix: ``PYTHONPATH=tests python -m support.faults``.

Prints the table and every violation; exit code 1 where there is one. ``--share`` takes a sample,
the same one every time. ``--write`` puts the table where docs/faults.md has it; ``--table`` prints
the one that is there, for the README.
"""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from support.faults import families, report
from support.faults.tally import table


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for and return the exit code."""
    asked = _asked(arguments)
    if asked.table:
        sys.stdout.write(report.written() + "\n")
        return 0
    with TemporaryDirectory(prefix="crmtrail-faults-") as folder:
        rows = families.run(
            Path(folder), asked.only or list(families.ALL), share=asked.share, jobs=asked.jobs
        )
    sys.stdout.write(table(rows) + "\n")
    violations = [one for row in rows for one in row.violations]
    sys.stdout.writelines(f"VIOLATION {one}\n" for one in violations)
    if asked.json:
        Path(asked.json).write_text(json.dumps([row.plain() for row in rows]))
    if asked.write:
        report.write(rows)
    return 1 if violations else 0


def _asked(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m support.faults", description="Run the fault matrix.")
    parser.add_argument("--only", action="append", choices=families.ALL, help="may be repeated")
    parser.add_argument("--share", choices=families.SHARES, default="whole")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    parser.add_argument("--write", action="store_true", help="write the table to docs/faults.md")
    parser.add_argument("--table", action="store_true", help="print the table of docs/faults.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
