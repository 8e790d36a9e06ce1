"""The statements by which a store writes what stands beside the rows, in the SQL that both databases understand."""

from collections.abc import Sequence

from gw.ledger.store import Batch

# Written again, it is about another upstream: the one before has failed and charges nothing.
OPEN = (
    "INSERT INTO open_call (call_id, boot, header, payload) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (call_id) DO UPDATE SET boot = excluded.boot, header = excluded.header, payload = excluded.payload"
)
OFFSET = (
    "INSERT INTO journal_segment (name, consumed_bytes, sealed) VALUES (?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET consumed_bytes = excluded.consumed_bytes, sealed = excluded.sealed"
)
FORGET = "DELETE FROM journal_segment WHERE name = ?"
COUNT = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = meta.value + excluded.value"
OPEN_CALLS = "SELECT call_id, boot FROM open_call"
OPEN_CALLS_OF = "SELECT call_id, boot, header, payload FROM open_call WHERE boot = ?"
OFFSETS = "SELECT name, consumed_bytes FROM journal_segment"


def offsets_of(batch: Batch) -> list[Sequence[object]]:
    """For OFFSET."""
    finished = set(batch.finished)
    return [(name, at, name in finished) for name, at in batch.consumed.items()]


def counts_of(batch: Batch, duplicates: int) -> list[Sequence[object]]:
    """For COUNT."""
    counts = {
        "duplicate_rows": duplicates,
        "damaged_stretches": batch.damaged_count,
        "damaged_bytes": batch.damaged_bytes,
        "rejected_frames": len(batch.rejected),
        "lost_calls": batch.lost_count,
    }
    return [(name, count) for name, count in counts.items() if count]
