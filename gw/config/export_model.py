"""The shape of `[[export]]`: what goes where, in which form, and when."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import field

from gw.config.schema import Table, about
from gw.config.secret import Secret

What = Literal["calls", "adjustments", "usage", "focus", "audit"]
Format = Literal["parquet", "jsonl.zst", "csv", "csv.zst"]


class Export(Table, frozen=True):
    """What goes out of the ledger by itself: to files, S3, GCS or Azure (needs the extra gw[export]). Each row goes once,
    whatever is killed in between; docs/exports.md has the columns."""

    name: Annotated[str, about("Its runs are kept under it; another name begins anew.", kind="name", example="warehouse")]
    to: Annotated[
        str,
        about(
            "Where to: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix.",
            kind="target",
            example="s3://company-finops/gw",
        ),
    ]
    what: Annotated[
        What,
        about(
            "calls: one row per call. adjustments: what repricing has added to them since. usage: sums per hour or day. focus: "
            "charges with the columns of FOCUS, for FinOps tools. audit: who changed what."
        ),
    ] = "calls"
    format: Annotated[Format, about("Form of the files.")] = "parquet"
    every: Annotated[
        str,
        about(
            "When, in UTC: hourly (at :05), daily (at 00:15), daily 03:30, 15m, 6h, or the five fields of cron. Empty: only when "
            "it is asked for.",
            kind="schedule",
        ),
    ] = "hourly"
    bucket: Annotated[
        Literal["hour", "day"], about("Of usage and focus: the length of the periods that are summed and exported as a whole.")
    ] = "day"
    columns: Annotated[
        tuple[str, ...], about("Only these columns, or patterns of them, in their own order.", kind="globs")
    ] = ("*",)
    redact: Annotated[tuple[str, ...], about("Columns of text, or patterns of them, that are left empty.", kind="columns")] = ()
    hash: Annotated[
        tuple[str, ...],
        about(
            "Columns of text, or patterns of them, whose values are replaced by a digest keyed by this gateway's pepper: equal "
            "values stay equal, and nobody can try names.",
            kind="columns",
        ),
    ] = ()
    path: Annotated[
        str,
        about(
            "Folders below `to`, of {what}, {name}, {date} and {hour} (UTC, of a call's end or of the period). Empty: "
            "{what}/dt={date}, with /hour={hour} for calls and hourly periods.",
            kind="template",
        ),
    ] = ""
    rows_per_file: Annotated[int, about("A file is closed at so many rows.", unit="rows", low=1, high=10_000_000)] = 500_000
    bytes_per_file: Annotated[
        int, about("A file is closed soon after this size.", unit="bytes", low=65_536, high=1 << 32)
    ] = 256_000_000
    since: Annotated[
        datetime | None,
        about("The first run begins with what happened then; a date means 00:00 UTC. Empty: all there is.", kind="moment"),
    ] = None
    endpoint: Annotated[str, about("Of an S3-compatible store that is not AWS; http:// is not encrypted.", kind="url")] = ""
    region: Annotated[str, about("Of the bucket. Empty: as the environment says, else us-east-1.")] = ""
    credentials: Annotated[
        dict[str, Secret],
        about(
            "For the store: access_key_id and secret_access_key (S3), service_account_key (GCS), account_name and account_key "
            "(Azure), or any other that obstore knows; each may be env:NAME or file:PATH. Empty: as the environment or the "
            "machine's role says."
        ),
    ] = field(default_factory=dict)
