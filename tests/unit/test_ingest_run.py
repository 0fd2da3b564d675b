from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from trialpipe.ingest import run
from trialpipe.io.errors import DataError


def _source(**form: object) -> dict:
    return {
        "id": "ecrf",
        "label": "e-CRF",
        "reader": "delimited",
        "dialect": {
            "encoding": "cp1252",
            "separator": ";",
            "decimal": ",",
            "dates": "DMY",
            "missing": ["NSP"],
        },
        "forms": [{"id": "dm", "files": ["dm.csv"], "sheet": None, "ignore": [], **form}],
    }


def _write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode("cp1252"))


def test_a_form_is_read_and_gated(tmp_path):
    _write(tmp_path, "dm.csv", "NUMPAT;DDN;DTINC;NOM;SEXE\r\n001;03/04/2015;05/06/2020;Dupré;1\r\n")
    source = _source(
        expected=["NUMPAT", "DTINC", "SEXE", "DDN__AGE_YEARS", "NOM"],
        ignore=["NOM"],
        privacy={"derive_age": {"birth": "DDN", "at": "DTINC"}, "patterns": {}},
    )
    table, report = run.ingest(source, tmp_path, "dm")
    assert table.to_pylist() == [
        {
            "source_file": "dm.csv",
            "source_row": 2,
            "source_sheet": None,
            "NUMPAT": "001",
            "DDN": "[REDACTED:birth_date]",
            "DTINC": "05/06/2020",
            "NOM": "[REDACTED:name]",
            "SEXE": "1",
            "DDN__AGE_YEARS": "5",
            "DDN__AGE_MONTHS": None,
            "DDN__NEONATE": "N",
        }
    ]
    assert report["rule"].to_pylist() == ["birth_date", "name"]


def test_several_files_of_one_layout(tmp_path):
    _write(tmp_path, "a/1.csv", "N;X\n1;2\n")
    _write(tmp_path, "a/2.csv", "N;Y\n3;4\n")
    table, _ = run.ingest(_source(files=["a/1.csv", "a/2.csv"]), tmp_path, "dm")
    assert table.select(["source_file", "source_row", "N", "X", "Y"]).to_pylist() == [
        {"source_file": "a/1.csv", "source_row": 2, "N": "1", "X": "2", "Y": None},
        {"source_file": "a/2.csv", "source_row": 2, "N": "3", "X": None, "Y": "4"},
    ]


def test_missing_file_names_its_neighbour(tmp_path):
    _write(tmp_path, "DM.csv", "N\n1\n")
    with pytest.raises(DataError) as caught:
        run.ingest(_source(), tmp_path, "dm")
    assert "file is not there" in caught.value.message
    assert "'DM.csv'" in caught.value.cure


def test_unknown_form_and_reader(tmp_path):
    with pytest.raises(DataError, match="nearest is 'dm'"):
        run.ingest(_source(), tmp_path, "dmm")
    with pytest.raises(DataError, match="readers are bioplex, delimited, .*workbook"):
        run.ingest({**_source(), "reader": "spss"}, tmp_path, "dm")


@pytest.mark.parametrize("module", sorted(run.READERS.values()))
def test_every_reader_is_there(module):
    assert callable(importlib.import_module(module).read)


def test_a_job_imports_no_more_than_it_needs(tmp_path):
    _write(tmp_path, "dm.csv", "N;X\n1;2\n")
    scripts = Path(run.__file__).parents[2]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from trialpipe.ingest import run\n"
        "source = {'id': 's', 'reader': 'delimited', 'dialect': {'separator': ';'},"
        " 'forms': [{'id': 'dm', 'files': ['dm.csv']}]}\n"
        "run.ingest(source, sys.argv[2], 'dm')\n"
        "print([m for m in ('pandas', 'openpyxl', 'pydantic', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(scripts), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
