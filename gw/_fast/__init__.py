"""The hot path: compiled modules, and pure twins of the same behaviour under `ref`, which the environment's GW_FAST=0 selects."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING or os.environ.get("GW_FAST") != "0":
    from gw._fast.append import BUFFER_HEAD, WriteBuffer, append
    from gw._fast.bucket import NEVER, Buckets, Limit, Limits, buckets_bytes
    from gw._fast.cells import (
        ALREADY_SETTLED,
        HARD,
        NOT_FREE,
        NOT_HELD,
        REAPED_NOTHING,
        REAPED_POST,
        REAPED_VOID,
        SHADOW,
        SOFT,
        STALE,
        TAKEN,
        UNITS,
        Cells,
        Path,
        Slot,
        cells_bytes,
    )
    from gw._fast.copytext import copy_text
    from gw._fast.counters import Counters, Slots
    from gw._fast.figures import Figures
    from gw._fast.flat import flattened
    from gw._fast.frame import Frame
    from gw._fast.heads import (
        Answer,
        Headers,
        Sent,
        Told,
        amount_text,
        is_clean_head,
        numbered,
        read_request,
        shown,
        text_of,
        to_client,
        told_by,
        word_of,
    )
    from gw._fast.jsonpeek import Peek, peek
    from gw._fast.laps import Laps
    from gw._fast.peekweigh import peek_and_weigh
    from gw._fast.rows import Rows
    from gw._fast.seek import holds
    from gw._fast.sums import Gathered, Layout, Run, Sums, rows_at, rows_of, spread
    from gw._fast.usage import DONE, ERROR, FIRST_TOKEN, OBSERVED_BYTES, USAGE, Found, Tap, found_in, observed_from, read_message
    from gw._fast.weigh import Weight, weigh
else:
    from gw._fast.fields import Weight
    from gw._fast.ref.append import BUFFER_HEAD, WriteBuffer, append
    from gw._fast.ref.bucket import NEVER, Buckets, Limit, Limits, buckets_bytes
    from gw._fast.ref.cells import (
        ALREADY_SETTLED,
        HARD,
        NOT_FREE,
        NOT_HELD,
        REAPED_NOTHING,
        REAPED_POST,
        REAPED_VOID,
        SHADOW,
        SOFT,
        STALE,
        TAKEN,
        UNITS,
        Cells,
        Path,
        Slot,
        cells_bytes,
    )
    from gw._fast.ref.copytext import copy_text
    from gw._fast.ref.counters import Counters, Slots
    from gw._fast.ref.figures import Figures
    from gw._fast.ref.flat import flattened
    from gw._fast.ref.frame import Frame
    from gw._fast.ref.heads import (
        Answer,
        Headers,
        Sent,
        Told,
        amount_text,
        is_clean_head,
        numbered,
        read_request,
        shown,
        text_of,
        to_client,
        told_by,
        word_of,
    )
    from gw._fast.ref.jsonpeek import Peek, peek
    from gw._fast.ref.laps import Laps
    from gw._fast.ref.peekweigh import peek_and_weigh
    from gw._fast.ref.rows import Rows
    from gw._fast.ref.seek import holds
    from gw._fast.ref.sums import Gathered, Layout, Run, Sums, rows_at, rows_of, spread
    from gw._fast.ref.usage import (
        DONE,
        ERROR,
        FIRST_TOKEN,
        OBSERVED_BYTES,
        USAGE,
        Found,
        Tap,
        found_in,
        observed_from,
        read_message,
    )
    from gw._fast.ref.weigh import weigh

__all__ = [
    "ALREADY_SETTLED",
    "BUFFER_HEAD",
    "DONE",
    "ERROR",
    "FIRST_TOKEN",
    "HARD",
    "NEVER",
    "NOT_FREE",
    "NOT_HELD",
    "OBSERVED_BYTES",
    "REAPED_NOTHING",
    "REAPED_POST",
    "REAPED_VOID",
    "SHADOW",
    "SOFT",
    "STALE",
    "TAKEN",
    "UNITS",
    "USAGE",
    "Answer",
    "Buckets",
    "Cells",
    "Counters",
    "Figures",
    "Found",
    "Frame",
    "Gathered",
    "Headers",
    "Laps",
    "Layout",
    "Limit",
    "Limits",
    "Path",
    "Peek",
    "Rows",
    "Run",
    "Sent",
    "Slot",
    "Slots",
    "Sums",
    "Tap",
    "Told",
    "Weight",
    "WriteBuffer",
    "amount_text",
    "append",
    "buckets_bytes",
    "cells_bytes",
    "copy_text",
    "flattened",
    "found_in",
    "holds",
    "is_clean_head",
    "numbered",
    "observed_from",
    "peek",
    "peek_and_weigh",
    "read_message",
    "read_request",
    "rows_at",
    "rows_of",
    "shown",
    "spread",
    "text_of",
    "to_client",
    "told_by",
    "weigh",
    "word_of",
]
