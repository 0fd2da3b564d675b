"""Entry of the ingest stage: a form's raw files become one gated table."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from trialpipe.ingest import ages, privacy
from trialpipe.ingest.common import nearest, stack
from trialpipe.io.errors import DataError

# reader name in extracts.yaml -> module with read(path, rel, dialect), or with read_all(paths, rels, dialect)
# where a later file changes what an earlier one says
READERS = {
    "bioplex": "trialpipe.ingest.bioplex",
    "delimited": "trialpipe.ingest.delimited",
    "intelliflex": "trialpipe.ingest.intelliflex",
    "msd": "trialpipe.ingest.msd",
    "odm": "trialpipe.ingest.odm",
    "rcc": "trialpipe.ingest.rcc",
    "redcap": "trialpipe.ingest.redcap",
    "sas": "trialpipe.ingest.sas",
    "workbook": "trialpipe.ingest.workbook",
    "xponent": "trialpipe.ingest.xponent",
}
RULES = Path(__file__).resolve().parents[4] / "resources" / "reference" / "privacy_rules.csv"


def ingest(source: Mapping[str, Any], root: Path, form: str, rules: Path = RULES) -> tuple[pa.Table, pa.Table]:
    """Read the files of a form and gate them; returns (table, report of redacted cells).

    ``source`` is a source of extracts.yaml as plain mappings (id, reader, dialect, forms); a form may carry,
    beside the model's fields, ``expected``: the items the mapping uses (null or absent: columns are not
    checked). ``root`` is the extract root that the files' paths are relative to; ``rules`` the rule table
    of the gate. Raises DataError; nothing is written.
    """
    spec = _form(source, form)
    reader = str(source["reader"])
    if reader not in READERS:
        cure = f"readers are {', '.join(READERS)}"
        raise DataError("extracts.yaml", None, "reader", reader, "is no reader", cure)
    module = importlib.import_module(READERS[reader])
    dialect = _dialect(source, spec)
    files = [spec["files"]] if isinstance(spec["files"], str) else spec["files"]
    paths = [_locate(root, rel) for rel in files]
    if hasattr(module, "read_all"):
        table = module.read_all(paths, files, dialect)
    else:
        table = stack([module.read(path, rel, dialect) for path, rel in zip(paths, files, strict=True)])
    keep = _keep(spec, dialect)
    if hasattr(module, "identifiers"):
        # the source's own dictionary says which columns identify a person
        keep["identifiers"] = module.identifiers(table.column_names, paths, files, dialect)
    return privacy.gate(table, privacy.load_rules(rules), keep)


def _form(source: Mapping[str, Any], form: str) -> Mapping[str, Any]:
    forms = {str(f["id"]): f for f in source["forms"]}
    if form not in forms:
        near = nearest(form, forms)
        cure = f"nearest is '{near}'" if near else f"forms are {', '.join(forms)}"
        message = f"is no form of source '{source.get('id')}'"
        raise DataError("extracts.yaml", None, "forms", form, message, cure)
    return forms[form]


def _dialect(source: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    declared = dict(source.get("dialect") or {})
    for key in ("sheet", "ignore"):
        declared[key] = spec.get(key) or declared.get(key)
    if spec.get("expected") is not None:
        derive = (spec.get("privacy") or {}).get("derive_age") or {}
        made = {f"{derive['birth']}__{suffix}" for suffix in ages.SUFFIXES} if derive else set()
        items = [*spec["expected"], *(derive[key] for key in ("birth", "at") if key in derive)]
        declared["expected"] = [item for item in dict.fromkeys(items) if item not in made]
    return declared


def _keep(spec: Mapping[str, Any], dialect: Mapping[str, Any]) -> dict[str, Any]:
    keep = dict(spec.get("privacy") or {})
    if keep.get("derive_age"):
        keep["derive_age"] = {**keep["derive_age"], "dates": dialect.get("dates") or "ISO"}
    return keep


def _locate(root: Path, rel: str) -> Path:
    path = Path(root, rel)
    if not path.is_file():
        folder = path.parent
        near = nearest(path.name, [p.name for p in sorted(folder.iterdir())]) if folder.is_dir() else None
        cure = "put it there, or correct files in extracts.yaml"
        cure += f" (nearest in its folder is '{near}')" if near else ""
        raise DataError(rel, None, None, None, "file is not there", cure)
    return path
