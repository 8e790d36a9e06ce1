"""Rows into a file of one form. Each encoder writes to a path that is its own, and knows roughly how large the file has become.

The same rows in the same portions give the same bytes, so a file that is made again after a crash has the name it had before.
Heavy libraries are loaded by the encoder that needs them.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import orjson

from gw.domain.column import DECIMAL_DIGITS, DECIMAL_SCALE, Column
from gw.export.errors import ExportError
from gw.export.shape import text_form

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs

ZSTD_LEVEL = 6
PARQUET_ZSTD_LEVEL = 3
GROUP_BYTES = 16 << 20  # of a Parquet row group, uncompressed: what is held in memory for each open file
GROUP_ROWS = 100_000
INT64 = range(-(2**63), 2**63)
SUFFIXES = {"parquet": "parquet", "jsonl.zst": "jsonl.zst", "csv": "csv", "csv.zst": "csv.zst"}


class Encoder(Protocol):
    def write(self, rows: Sequence[Sequence[Any]]) -> None: ...

    def size(self) -> int:
        """Bytes so far, about; never less after more rows."""
        ...

    def close(self) -> None:
        """The file is whole."""
        ...


def encoder_of(form: str, path: Path, columns: Sequence[Column]) -> Encoder:
    """Raises ExportError where the extra is missing."""
    try:
        if form == "parquet":
            return ParquetEncoder(path, columns)
        return (CsvEncoder if form.startswith("csv") else JsonEncoder)(_opened(path, packed=form.endswith(".zst")), path, columns)
    except ImportError as error:
        raise ExportError(f"{form} needs libraries that are not installed ({error}): pip install 'gw[export]'") from error


def _opened(path: Path, *, packed: bool) -> IO[bytes]:
    if not packed:
        return path.open("wb")
    import zstandard  # noqa: PLC0415 - an extra

    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).stream_writer(path.open("wb"), closefd=True)


class _TextEncoder:
    def __init__(self, out: IO[bytes], path: Path, columns: Sequence[Column]) -> None:
        self._out, self._path = out, path
        self._names = [column.name for column in columns]
        forms = [text_form(column) for column in columns]
        self._forms = [(at, form) for at, form in enumerate(forms) if form is not None]

    def _texts(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for at, form in self._forms:
            values[at] = form(values[at])
        return values

    def size(self) -> int:
        return self._path.stat().st_size

    def close(self) -> None:
        self._out.close()


class JsonEncoder(_TextEncoder):
    """One object per line; money is text, what never happened is null, and what is JSON in the ledger is JSON here."""

    def __init__(self, out: IO[bytes], path: Path, columns: Sequence[Column]) -> None:
        super().__init__(out, path, columns)
        self._nested = [at for at, column in enumerate(columns) if column.kind == "json"]

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            values = self._texts(row)
            for at in self._nested:
                values[at] = orjson.Fragment(values[at]) if values[at] else None
            self._out.write(orjson.dumps(dict(zip(self._names, values, strict=True)), option=orjson.OPT_APPEND_NEWLINE))


class CsvEncoder(_TextEncoder):
    """RFC 4180 with a header line and CRLF; null is an empty field, truth `true` and `false`. Values are as the ledger has them:
    what a spreadsheet would run as a formula is not changed, for programs read this."""

    def __init__(self, out: IO[bytes], path: Path, columns: Sequence[Column]) -> None:
        super().__init__(out, path, columns)
        self._bools = [at for at, column in enumerate(columns) if column.kind == "bool"]
        self._put([self._names])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        texts = [self._texts(row) for row in rows]
        for values in texts:
            for at in self._bools:
                values[at] = {True: "true", False: "false"}.get(values[at], "")
        self._put(texts)

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        self._out.write(text.getvalue().encode())


class ParquetEncoder:
    """Money and quantities are decimal128(38, 12), moments timestamps in UTC with microseconds; zstd."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no stubs

        self._pa, self._path, self._columns = pa, path, tuple(columns)
        self._schema = schema_of(columns)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", compression_level=PARQUET_ZSTD_LEVEL)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = self._waiting_rows = 0

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        arrays = [self._array(column, [row[at] for row in rows]) for at, column in enumerate(self._columns)]
        batch = self._pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self._waiting_rows += batch.num_rows
        if self._waiting_bytes >= GROUP_BYTES or self._waiting_rows >= GROUP_ROWS:
            self._flush()

    def size(self) -> int:
        """What waits is counted as it will be, about, when packed."""
        return self._path.stat().st_size + self._waiting_bytes // 8

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        table = self._pa.Table.from_batches(self._waiting, schema=self._schema)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._waiting_bytes, self._waiting_rows = [], 0, 0

    def _array(self, column: Column, values: list[Any]) -> "pa.Array":
        pa = self._pa
        if column.kind == "decimal":
            return self._decimals(values)
        if column.kind in ("moment", "second"):
            return pa.array([value or None for value in values], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        if column.kind == "bool":
            return pa.array([None if value is None else bool(value) for value in values], pa.bool_())
        if column.kind == "int":
            return pa.array(values, pa.int64())
        if column.kind == "json":
            return pa.array([value or None for value in values], pa.string())
        return pa.array(values, pa.string())

    def _decimals(self, values: list[Any]) -> "pa.Array":
        """The integers are taken for units of 1e-12 as they stand in memory: no number is divided."""
        pa = self._pa
        if all(value is None or value in INT64 for value in values):
            whole = pa.array(values, pa.int64()).cast(pa.decimal128(DECIMAL_DIGITS, 0))
        else:
            from decimal import Decimal  # noqa: PLC0415 - sums beyond 64 bits are rare

            whole = pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(DECIMAL_DIGITS, 0))
        return pa.Array.from_buffers(pa.decimal128(DECIMAL_DIGITS, DECIMAL_SCALE), len(whole), whole.buffers(), whole.null_count)


def schema_of(columns: Sequence[Column]) -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415 - an extra

    kinds = {
        "text": pa.string(),
        "json": pa.string(),
        "int": pa.int64(),
        "bool": pa.bool_(),
        "moment": pa.timestamp("us", tz="UTC"),
        "second": pa.timestamp("us", tz="UTC"),
        "decimal": pa.decimal128(DECIMAL_DIGITS, DECIMAL_SCALE),
    }
    return pa.schema([pa.field(column.name, kinds[column.kind], column.nullable) for column in columns])
