"""SOQL's named stretches of time, such as TODAY, LAST_N_DAYS:30 and THIS_QUARTER."""

from datetime import date, timedelta

_WEEK = 7
_QUARTER = 3
_YEAR_MONTHS = 12
_NAMES = {"YESTERDAY": ("DAYS", -1), "TODAY": ("DAYS", 0), "TOMORROW": ("DAYS", 1)}
_UNITS = {"DAY": "DAYS", "WEEK": "WEEKS", "MONTH": "MONTHS", "QUARTER": "QUARTERS", "YEAR": "YEARS"}
_WHICH = {"LAST": -1, "THIS": 0, "NEXT": 1}
_NINETY = 90


def stretch(text: str, today: date) -> tuple[date, date] | None:
    """Return first day and the day after the last one, in UTC, or None for an unknown name.

    LAST_N_DAYS:n includes today; the other LAST_N units end before the current one (SOQL
    reference, date formats and date literals).
    """
    name, _, digits = text.upper().partition(":")
    if name in _NAMES:
        return _units("DAYS", _NAMES[name][1], 1, today)
    if name in ("LAST_90_DAYS", "NEXT_90_DAYS"):
        name, digits = name.replace("90", "N"), str(_NINETY)
    which, _, unit = name.partition("_")
    if not digits:
        known = _UNITS.get(unit)
        return (
            None if known is None or which not in _WHICH else _units(known, _WHICH[which], 1, today)
        )
    return _counted(which, unit.removeprefix("N_"), int(digits), today)


def _counted(which: str, unit: str, count: int, today: date) -> tuple[date, date] | None:
    if unit not in _UNITS.values():
        return None
    if which == "LAST":
        extra = unit == "DAYS"
        return _units(unit, -count, count + extra, today)
    if which == "NEXT":
        return _units(unit, 1, count, today)
    return None


def _units(unit: str, first: int, count: int, today: date) -> tuple[date, date]:
    return _start(unit, first, today), _start(unit, first + count, today)


def _start(unit: str, offset: int, today: date) -> date:
    if unit == "DAYS":
        return today + timedelta(days=offset)
    if unit == "WEEKS":
        sunday = today - timedelta(days=(today.weekday() + 1) % _WEEK)
        return sunday + timedelta(weeks=offset)
    months = {"MONTHS": 1, "QUARTERS": _QUARTER, "YEARS": _YEAR_MONTHS}[unit]
    number = today.year * _YEAR_MONTHS + today.month - 1
    number = number // months * months + offset * months
    return date(number // _YEAR_MONTHS, number % _YEAR_MONTHS + 1, 1)
