"""The manifest of a run: what its files are, written after all of them. Who reads manifests never sees half a run."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gw import __version__
from gw.domain.focus import VERSION as FOCUS_VERSION
from gw.export.job import BY_PERIOD, Job, safe
from gw.export.parts import Part, added, described, totals_text
from gw.export.runs import Run
from gw.export.shape import Shape, moment_text

FORMAT = 1
FOLDER = "_manifests"  # hidden from engines that read whole folders


def name_of(run: Run, bucket: str) -> str:
    """`_manifests/warehouse/calls-000000000001-000000001000.json`, `.../usage-2026-11-21-r0002.json`."""
    return f"{FOLDER}/{safe(run.export)}/{run.what}-{range_name(run, bucket)}.json"


def range_name(run: Run, bucket: str) -> str:
    if run.revision:
        text = moment_text(run.low)
        return f"{text[:10] if bucket == 'day' else text[:13]}-r{run.revision:04d}"
    span = f"{run.low:012d}-{run.high:012d}"
    return span if run.chain else f"window-{run.id:06d}-{span}"


def manifest(job: Job, run: Run, shape: Shape, parts: Sequence[Part]) -> bytes:
    """The same for every attempt that makes the same files: no time of writing, no attempts."""
    body: dict[str, Any] = {
        "manifest": FORMAT,
        "export": run.export,
        "what": run.what,
        "run": run.id,
        "planned_at": moment_text(run.planned_us),
        "gw": __version__,
        "range": _range(job, run),
        "format": job.settings.format,
        "focus_version": FOCUS_VERSION if run.what == "focus" else None,
        "columns": described(shape.columns),
        "redacted": shape.redacted,
        "hashed": shape.hashed,
        "rows": sum(part.rows for part in parts),
        "bytes": sum(part.size for part in parts),
        "totals": totals_text(added(part.totals for part in parts)),
        "objects": [
            {
                "path": part.name,
                "rows": part.rows,
                "bytes": part.size,
                "sha256": part.sha256,
                "first": part.first,
                "last": part.last,
                "totals": totals_text(part.totals),
            }
            for part in parts
        ],
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"


def _range(job: Job, run: Run) -> dict[str, Any]:
    if run.revision:
        return {"from": moment_text(run.low), "until": moment_text(run.high), "revision": run.revision}
    if not run.chain:
        return {"from": moment_text(run.low), "until": moment_text(run.high)}
    assert job.what not in BY_PERIOD, "periods have revisions"
    return {"seq" if job.what == "calls" else "id": [run.low, run.high]}
