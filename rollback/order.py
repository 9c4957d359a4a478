"""In which order objects come back: those that others name before those that name them. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping


def ranks(
    objects: Collection[str], references: Callable[[str], Iterable[str]]
) -> Mapping[str, int]:
    """Return a rank for each object: parents have the lower one.

    Where objects name each other in a ring, the first of the alphabet goes first.

    Args:
        objects: their names.
        references: gives the objects that the fields of one name, in any spelling.
    """
    known = {name.casefold(): name for name in objects}
    parents = {
        name: {
            known[other.casefold()]
            for other in references(name)
            if other.casefold() in known and other.casefold() != name.casefold()
        }
        for name in objects
    }
    found: dict[str, int] = {}
    while len(found) < len(parents):
        left = sorted(name for name in parents if name not in found)
        free = [name for name in left if parents[name] <= found.keys()]
        for name in free or left[:1]:
            found[name] = len(found)
    return found
