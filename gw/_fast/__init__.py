"""The hot path: compiled modules, and pure twins of the same behaviour under `ref`, which the environment's GW_FAST=0 selects."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING or os.environ.get("GW_FAST") != "0":
    from gw._fast.append import append
    from gw._fast.jsonpeek import Peek, peek
    from gw._fast.usage import DONE, ERROR, FIRST_TOKEN, OBSERVED_BYTES, USAGE, Tap, observed_from, read_message
else:
    from gw._fast.ref.append import append
    from gw._fast.ref.jsonpeek import Peek, peek
    from gw._fast.ref.usage import DONE, ERROR, FIRST_TOKEN, OBSERVED_BYTES, USAGE, Tap, observed_from, read_message

__all__ = [
    "DONE",
    "ERROR",
    "FIRST_TOKEN",
    "OBSERVED_BYTES",
    "USAGE",
    "Peek",
    "Tap",
    "append",
    "observed_from",
    "peek",
    "read_message",
]
