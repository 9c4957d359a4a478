"""One stage of one contender in this process; its figures go out as JSON.

    python child.py '{"contender": "floor", "stage": "fill", "world": ..., "folder": ...}'

Every stage has a process of its own, so that CPU time and memory are its own.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from accounting import account
from asking import ask, export
from contender import ENTRANTS, NotHere
from filling import fill
from world import World

_STAGES = {"fill": fill, "ask": ask, "export": export, "account": account}


def main() -> None:
    """Take the job from the command line."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    entrant = ENTRANTS[job["contender"]]
    if job.get("url"):
        entrant = replace(entrant, options={**(entrant.options or {}), "url": job["url"]})
    try:
        contender = entrant.open(Path(job["folder"]))
    except NotHere as reason:
        print(json.dumps({"missing": str(reason)}))
        return
    try:
        print(json.dumps(_STAGES[job["stage"]](contender, World.read(job["world"]))))
    finally:
        contender.close()


if __name__ == "__main__":
    main()
