"""The one writer and reader of Parquet.

Bytes depend on content only: rows sorted by the contract's key, columns in contract order, fixed codec and
version, no pandas metadata, no clock. Written beside and moved, so that a killed job leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from trialpipe.io.contracts import Column, Contract

if TYPE_CHECKING:
    import pandas as pd

_ARROW = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("s"),
    "list": pa.list_(pa.string()),
}


class ContractError(Exception):
    """A table does not keep its contract: a defect of the pipeline, not of the data."""


def write_arrow(table: pa.Table, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table as it is (ingested tables), atomically and without pandas metadata."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    clean = {k.encode(): v.encode() for k, v in sorted((metadata or {}).items())}
    partial = target.with_name(target.name + ".partial")
    pq.write_table(table.replace_schema_metadata(clean), partial, compression="zstd", version="2.6")
    os.replace(partial, target)


def write(frame: pd.DataFrame, path: str | Path, contract: Contract) -> None:
    """Check ``frame`` against ``contract``, sort it by the key and write it.

    Raises ContractError naming contract, column and first offending row.
    """
    columns = _columns(frame, contract)
    ordered = frame.sort_values(list(contract.key), kind="stable", na_position="last") if len(frame) else frame
    duplicated = ordered.duplicated(list(contract.key))
    if duplicated.any():
        row = ordered.loc[duplicated, list(contract.key)].iloc[0].to_dict()
        raise ContractError(f"{contract.name}: key {row} is not unique")
    arrays = [_array(ordered[c.name], c, contract) for c in columns]
    fields = [pa.field(c.name, _ARROW[c.type], metadata={"label": c.label, "type": c.type}) for c in columns]
    write_arrow(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path, {"contract": contract.name})


def read_arrow(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """The Arrow table at ``path``."""
    return pq.ParquetFile(path).read(columns=columns)


def read(path: str | Path, columns: list[str] | None = None) -> pd.DataFrame:
    """The frame at ``path``: text as object with None, Int64, float64, boolean, datetime64[ns], lists."""
    return frame(read_arrow(path, columns))


def frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a frame with the types named in ``read``."""
    import pandas as pd

    frame = table.to_pandas(
        date_as_object=False,
        types_mapper={pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get,
    )
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        if pa.types.is_list(kind):
            frame[name] = [list(x) if x is not None else [] for x in frame[name]]
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            frame[name] = frame[name].astype("datetime64[ns]")
    return frame


def empty(contract: Contract) -> pd.DataFrame:
    """A frame with the contract's columns and no rows."""
    import pandas as pd

    kinds = {"text": "object", "list": "object", "int": "Int64", "float": "float64", "bool": "boolean"}
    return pd.DataFrame({c.name: pd.Series([], dtype=kinds.get(c.type, "datetime64[ns]")) for c in contract.all})


def labels(path: str | Path) -> dict[str, str]:
    """Column labels stored with the table."""
    schema = pq.read_schema(path)
    return {f.name: (f.metadata or {}).get(b"label", f.name.encode()).decode() for f in schema}


def _columns(frame: pd.DataFrame, contract: Contract) -> list[Column]:
    declared = list(contract.all)
    missing = [c.name for c in declared if c.name not in frame.columns]
    if missing:
        raise ContractError(f"{contract.name}: column {missing[0]} is missing")
    known = {c.name for c in declared}
    extra = [str(name) for name in frame.columns if name not in known]
    if extra and not contract.open:
        raise ContractError(f"{contract.name}: column {extra[0]} is not in the contract")
    return declared + [Column(name, _guess(frame[name]), name) for name in extra]


def _guess(values: pd.Series) -> str:
    kind = values.dtype.kind
    if kind == "M":
        return "date" if (values.dropna() == values.dropna().dt.normalize()).all() else "datetime"
    if kind in "iu":
        return "int"
    if kind == "b":
        return "bool"
    if kind == "f":
        return "float"
    return "list" if any(isinstance(v, list) for v in values) else "text"


def _array(values: pd.Series, column: Column, contract: Contract) -> pa.Array:
    try:
        array = pa.array(_plain(values, column), type=_ARROW[column.type], from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError) as error:
        raise ContractError(f"{contract.name}: column {column.name} is not {column.type}: {error}") from error
    if not column.nullable and array.null_count:
        raise ContractError(f"{contract.name}: column {column.name} is null in {array.null_count} row(s)")
    return array


def _plain(values: pd.Series, column: Column) -> object:
    import pandas as pd

    if column.type in ("text", "list"):
        return [None if (not isinstance(v, (str, list)) and pd.isna(v)) else v for v in values]
    if column.type == "date":
        return pd.to_datetime(values).dt.date.where(values.notna(), None)
    if column.type == "datetime":
        return pd.to_datetime(values).astype("datetime64[s]")
    return values
