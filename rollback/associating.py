"""Which associations come back with records that are made anew. Pure.

An association is a record of an object of its own: its fields ``from`` and ``to`` name the two that
it joins, and it ends with either of them.
"""

from collections.abc import Collection, Mapping

from crmtrail.model import Action, FieldType, Ref, Schema, Step, Version, value_of

_ENDS = ("from", "to")


def ends_of(schema: Schema) -> tuple[str, ...]:
    """Return the objects that an object's records join; nothing where they join none."""
    fields = [schema.fields.get(name) for name in _ENDS]
    if any(one is None or one.type is not FieldType.REFERENCE for one in fields):
        return ()
    return tuple(name for one in fields if one is not None for name in one.references)


def joins(then: Version, schema: Schema, anew: Mapping[str, Collection[str]]) -> bool:
    """Whether an association joins one of the records that are made anew."""
    return any(
        str(value_of(then.fields[end])) in anew.get(name, ())
        for end in _ENDS
        if end in then.fields
        for name in schema.fields[end].references
    )


def associated(ref: Ref, then: Version, schema: Schema) -> Step:
    """Return the step that makes an association again as it was; its id is empty."""
    write = {
        name: token
        for name, token in then.fields.items()
        if name in schema.fields and schema.fields[name].createable
    }
    reason = "what it joins is made anew, and it went with that"
    return Step("", ref, Action.CREATE, write=write, reason=reason)
