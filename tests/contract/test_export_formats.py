"""Every format holds the same records; each says what it cannot hold."""

import hashlib
import io
import json
import subprocess
import sys
from decimal import Decimal

import pytest
from pyarrow import parquet

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Field, FieldType, Schema
from crmtrail.reports.export import FORMATS, Exporter, Order
from crmtrail.reports.workbook import CHARACTERS, XlsxTable
from snapshot.leaves import entry_at
from support.formulas import FORMULAS, HARMLESS, STARTERS
from support.readings import OBJECT, SOURCE, at, reading, removal
from support.store_rig import proven_rig
from support.tables import csv_rows, json_rows, parquet_rows, sheet_rows

SCHEMA = Schema(
    SOURCE,
    OBJECT,
    {
        "Amount": Field("Amount", FieldType.MONEY),
        "Opted": Field("Opted", FieldType.BOOLEAN),
        "Note": Field("Note"),
    },
)
READ = {"csv": csv_rows, "jsonl": json_rows, "parquet": parquet_rows, "xlsx": sheet_rows}


@pytest.fixture
def rig(tmp_path):
    (tmp_path / "store").mkdir()
    with proven_rig("sqlite", tmp_path / "store") as made:
        made.store.learn(SCHEMA, at(0))
        yield made


def export(rig, path, format_="csv", *, force=False, **order):
    exporter = Exporter(rig.store, "ana", at(500))
    return exporter.to_file(Order(SOURCE, OBJECT, format_, **order), path, force=force)


def rows(rig, path, format_="csv", **order):
    done = export(rig, path / f"out.{format_}", format_, **order)
    found = READ[format_](done.path)
    assert done.rows == len(found)
    return found


@pytest.fixture
def story(rig):
    rig.keep(
        reading(
            "003B",
            {"Note": 'two\nlines, "so"', "Opted": True},
            tokens={"Amount": "123456789012345678.90"},
        ),
        reading("003A", {"Note": "a", "Opted": "false"}, tokens={"Amount": '"-1.50"'}, modified=1),
        reading("003C", {"Note": "", "Opted": None}),
    )
    rig.keep(removal("003C", read=60, when=55))
    rig.keep(reading("003A", {"Note": "b"}, tokens={"Amount": "2.50"}, modified=80))
    return rig


def test_csv(story, tmp_path):
    path = export(story, tmp_path / "out.csv").path
    assert path.read_bytes() == (
        b"_id,_version,_at,Amount,Note,Opted\r\n"
        b"003A,2,2026-03-01T09:01:20Z,2.50,b,false\r\n"
        b"003B,1,2026-03-01T09:00:00Z,123456789012345678.90,"
        b'"two\nlines, ""so""",true\r\n'
    )


def test_json_lines_have_the_exact_tokens_and_nothing_that_was_not_told(story, tmp_path):
    path = export(story, tmp_path / "out.jsonl", "jsonl", deleted=True).path
    lines = path.read_text().splitlines()
    assert '"Amount":123456789012345678.90' in lines[1]
    first, _, last = map(json.loads, lines)
    assert first["fields"] == {"Amount": 2.5, "Note": "b", "Opted": "false"}
    assert (first["record"], first["version"], first["op"]) == ("sf:Contact:003A", 2, "update")
    assert last["fields"] == {"Note": "", "Opted": None}
    assert last["deleted"] is True


def test_xlsx_has_typed_cells(story, tmp_path):
    first, second = rows(story, tmp_path, "xlsx")
    assert first == {
        "_id": ("s", "003A"),
        "_version": ("n", 2),
        "_at": ("s", "2026-03-01T09:01:20Z"),
        "Amount": ("n", 2.5),
        "Note": ("s", "b"),
        "Opted": ("b", False),
    }
    assert second["Amount"] == ("s", "123456789012345678.90")
    assert second["Opted"] == ("b", True)


def test_parquet_has_exact_columns_and_says_where_it_is_from(story, tmp_path):
    first, second = rows(story, tmp_path, "parquet")
    assert (first["Amount"], second["Amount"]) == (
        Decimal("2.50"),
        Decimal("123456789012345678.90"),
    )
    assert (first["Opted"], second["Opted"], first["_version"]) == (False, True, 2)
    schema = parquet.read_schema(tmp_path / "out.parquet")
    assert [str(kind) for kind in schema.types] == [
        "string",
        "int64",
        "string",
        "decimal128(20, 2)",
        "string",
        "bool",
    ]
    assert schema.metadata[b"crmtrail.object"] == b"Contact"


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_deleted_records_come_only_when_asked_for(story, tmp_path, format_):
    assert len(rows(story, tmp_path, format_)) == 2
    found = rows(story, tmp_path, format_, deleted=True, force=True)
    name = "deleted" if format_ == "jsonl" else "_deleted"
    told = {"csv": "true", "xlsx": ("b", True)}.get(format_, True)
    assert [row[name] == told for row in found] == [False, False, True]


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_an_earlier_time_gives_the_records_of_then(story, tmp_path, format_):
    assert len(rows(story, tmp_path, format_, at=at(30))) == 3
    assert rows(story, tmp_path, format_, at=at(-1), force=True) == []


def test_a_column_is_there_if_any_record_has_it_whatever_the_schema_says(rig, tmp_path):
    rig.keep(reading("003A", {"Note": "a"}), reading("003B", {"Old__c": "b"}))
    first, second = rows(rig, tmp_path)
    assert (first["Note"], first["Old__c"]) == ("a", "")
    assert (second["Note"], second["Old__c"]) == ("", "b")


# --- formulas ------------------------------------------------------------------------------------


@pytest.fixture
def loaded(rig):
    texts = (*FORMULAS, *HARMLESS)
    rig.keep(*(reading(f"003{no:03}", {"Note": text}) for no, text in enumerate(texts)))
    return texts


def test_the_corpus_is_large():
    assert len(set(FORMULAS)) >= 40


def test_no_formula_is_live_in_csv(rig, loaded, tmp_path):
    shown = [row["Note"] for row in rows(rig, tmp_path)]
    assert [text for text in shown if text[:1] in STARTERS] == []
    assert [text for text in shown if text.lstrip(" \xa0\ufeff\u200b")[:1] in STARTERS] == []
    for text, cell in zip(loaded, shown, strict=True):
        assert cell in {text, "'" + text}


def test_raw_csv_has_every_text_as_it_is(rig, loaded, tmp_path):
    assert [row["Note"] for row in rows(rig, tmp_path, raw=True)] == list(loaded)


def test_no_formula_and_no_link_is_live_in_xlsx(rig, loaded, tmp_path):
    found = rows(rig, tmp_path, "xlsx")
    assert {kind for row in found for kind, _ in row.values()} <= {"s", "n"}
    for text, row in zip(loaded, found, strict=True):
        kind, value = row["Note"]
        assert kind == "s"
        if "\0" not in text and "\r" not in text:  # openpyxl gives their escapes
            assert (value or "") == text


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_the_other_formats_have_every_text_as_it_is(rig, loaded, tmp_path, format_):
    found = rows(rig, tmp_path, format_)
    texts = [(row["fields"] if format_ == "jsonl" else row)["Note"] for row in found]
    assert texts == list(loaded)


def test_a_field_name_cannot_be_a_formula_either(rig, tmp_path):
    rig.keep(reading("003A", {"=1+1": "x"}))
    assert set(rows(rig, tmp_path)[0]) == {"_id", "_version", "_at", "'=1+1"}
    assert rows(rig, tmp_path, "xlsx")[0]["=1+1"] == ("s", "x")


# --- what does not fit ---------------------------------------------------------------------------


def test_a_long_text_is_cut_in_xlsx_and_that_is_told(rig, tmp_path):
    texts = ["x" * CHARACTERS, "y" * (CHARACTERS + 1), "\U0001f600" * (CHARACTERS // 2 + 1)]
    rig.keep(*(reading(f"003{no}", {"Note": text}) for no, text in enumerate(texts)))
    done = export(rig, tmp_path / "out.xlsx", "xlsx")
    assert done.cut == 2
    whole, cut, smiles = (row["Note"][1] for row in sheet_rows(done.path))
    assert whole == texts[0]
    for short, text in ((cut, texts[1]), (smiles, texts[2])):
        assert short.endswith("[cut: a cell of Excel ends here]")
        assert text.startswith(short.partition(" ...")[0])
        assert len(short.encode("utf-16-le")) // 2 in {CHARACTERS, CHARACTERS - 1}
    assert csv_rows(export(rig, tmp_path / "out.csv").path)[1]["Note"] == texts[1]


def test_what_does_not_fit_a_sheet_is_refused_before_anything_is_written(rig, tmp_path):
    assert (XlsxTable.records, XlsxTable.columns) == (1_048_575, 16_384)
    rig.keep(reading("003A", {f"f{no:05}": 1 for no in range(XlsxTable.columns)}))
    with pytest.raises(Mistake, match=r"16,387 columns do not fit .* 16,384") as caught:
        export(rig, tmp_path / "out.xlsx", "xlsx")
    assert "parquet" in caught.value.hint
    assert [one.name for one in tmp_path.iterdir()] == ["store"]


def test_half_a_surrogate_pair_stops_no_export(rig, tmp_path):
    rig.keep(reading("003A", tokens={"Note": r'"a\ud800b"'}))
    assert rows(rig, tmp_path)[0]["Note"] == "a\ufffdb"
    assert rows(rig, tmp_path, "xlsx")[0]["Note"] == ("s", "a\ufffdb")
    assert rows(rig, tmp_path, "parquet")[0]["Note"] == "a\ufffdb"
    assert r'"a\ud800b"' in export(rig, tmp_path / "out.jsonl", "jsonl").path.read_text()


# --- the file and the ledger ---------------------------------------------------------------------


def entry(rig, leaf):
    with rig.store.engine.begin() as connection:
        return entry_at(connection, leaf)


def test_an_export_is_sealed_with_who_what_and_the_files_digest(story, tmp_path):
    done = export(story, tmp_path / "out.csv", at=at(30))
    sealed = entry(story, done.leaf)
    assert sealed["kind"] == "export"
    assert sealed["entry"] == {
        "by": "ana", "source": SOURCE, "object": OBJECT, "at": "2026-03-01T09:00:30Z",
        "known": done.known, "known_at": None, "format": "csv", "deleted": False, "raw": False,
        "rows": 3,
        "to": "out.csv", "bytes": done.path.stat().st_size, "cut": 0,
        "sha256": hashlib.sha256(done.path.read_bytes()).hexdigest(),
    }  # fmt: skip


def test_a_stream_is_sealed_before_the_first_byte(story):
    class Broken(io.BytesIO):
        def write(self, _):
            raise BrokenPipeError

    size = story.store.checkpoint(at(0)).size
    exporter = Exporter(story.store, "ana", at(500))
    with pytest.raises(BrokenPipeError):
        exporter.to_stream(Order(SOURCE, OBJECT, "jsonl"), Broken())
    assert entry(story, size)["entry"]["rows"] == 2
    out = io.BytesIO()
    done = exporter.to_stream(Order(SOURCE, OBJECT, "csv"), out)
    assert (done.rows, done.path) == (2, None)
    assert out.getvalue().count(b"\r\n") == 3


def test_a_file_that_is_there_stays_unless_forced(story, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("mine")
    size = story.store.checkpoint(at(0)).size
    with pytest.raises(Mistake, match="exists already"):
        export(story, path)
    assert path.read_text() == "mine"
    assert story.store.checkpoint(at(0)).size == size
    assert export(story, path, force=True).rows == 2
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_an_interrupted_export_leaves_nothing(story, tmp_path, format_):
    class Impatient(Exception):
        pass

    class Breaking:
        """The story's store, which breaks down while the export writes its second record."""

        writes = 1 if format_ == "jsonl" else 2
        passes = 0

        def __getattr__(self, name):
            return getattr(story.store, name)

        def records(self, *place, **more):
            self.passes += 1
            for no, state in enumerate(story.store.records(*place, **more)):
                if self.passes == self.writes and no == 1:
                    raise Impatient
                yield state

    size = story.store.checkpoint(at(0)).size
    order = Order(SOURCE, OBJECT, format_)
    exporter = Exporter(Breaking(), "ana", at(500))
    with pytest.raises(Impatient):
        exporter.to_file(order, tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["store"]
    assert story.store.checkpoint(at(0)).size == size


def test_what_cannot_be_exported_is_told(story, tmp_path):
    exporter = Exporter(story.store, "ana", at(500))
    with pytest.raises(Unfound, match="sf:Lead is not in the store") as caught:
        exporter.to_file(Order(SOURCE, "Lead", "csv"), tmp_path / "out.csv")
    assert "sf:Contact" in caught.value.hint
    with pytest.raises(Mistake, match="standard output"):
        exporter.to_stream(Order(SOURCE, OBJECT, "xlsx"), io.BytesIO())
    with pytest.raises(Mistake, match="--raw"):
        export(story, tmp_path / "out.xlsx", "xlsx", raw=True)
    with pytest.raises(Mistake, match="is a folder"):
        export(story, tmp_path)
    with pytest.raises(Mistake, match="there is no folder"):
        export(story, tmp_path / "no" / "out.csv")


def test_without_pyarrow_parquet_says_how_to_get_it():
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from crmtrail.reports import export\n"
        "from crmtrail.errors import Mistake\n"
        "assert export._table('xlsx')\n"
        "try: export._table('parquet')\n"
        "except Mistake as error: print(error, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the library pyarrow" in done.stdout
    assert "crmtrail[parquet]" in done.stdout
