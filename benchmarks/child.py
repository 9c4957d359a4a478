"""Take one measurement in this process, and print its figures as JSON.

Each measurement has a process of its own, so that CPU and memory are its own.
"""

import json
import sys
from typing import Final

from measuring import Place, check, load
from side_by_side import compare

_MEASUREMENTS: Final = {each.__name__: each for each in (load, check, compare)}


def main() -> None:
    """Take the measurement's name and place from the command line."""
    name, place = sys.argv[1:]
    sys.stdout.write(json.dumps(_MEASUREMENTS[name](Place(**json.loads(place)))))


if __name__ == "__main__":
    main()
