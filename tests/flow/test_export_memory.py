"""Memory does not grow with the number of records."""

import subprocess
import sys

import pytest

from support.readings import OBJECT, SOURCE, reading
from support.store_rig import sql_rig

FEW, MANY, PAGE = 2_000, 100_000, 2_000
ROOM = 60
"""How many MB more the many may take than the few; the records themselves are 150 MB of text."""

EXPORT = """
import resource, sys
from crmtrail.cli.main import run
code = run(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two stores, of few and of many records."""
    made = {}
    for count in (FEW, MANY):
        path = made[count] = tmp_path_factory.mktemp(f"of-{count}")
        with sql_rig(path) as rig:
            note = "n" * 1_400
            for start in range(0, count, PAGE):
                numbers = range(start, start + PAGE)
                fields = {"Note": note, "Opted": True}
                rig.keep(*(reading(f"003{no:07}", fields | {"Amount": no}) for no in numbers))
        (path / "crmtrail.yaml").write_text(f'store: {{url: "sqlite:///{path}/crmtrail.db"}}')
    return made


def exported(folder, count, format_):
    """Export in a process of its own; return how many MB it took at most."""
    path = folder / f"out.{format_}"
    arguments = ("export", f"{SOURCE}:{OBJECT}", "--to", str(path))
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, "--config", str(folder / "crmtrail.yaml"), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    code, megabytes = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    assert f"{count:,} records" in done.stdout
    assert path.stat().st_size > count * 5
    return int(megabytes)


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["csv", "jsonl", "xlsx", "parquet"])
def test_many_records_take_no_more_memory_than_few(folders, format_):
    few, many = (exported(folders[count], count, format_) for count in (FEW, MANY))
    assert many < few + ROOM, f"{few} MB for {FEW} records, {many} MB for {MANY}"
