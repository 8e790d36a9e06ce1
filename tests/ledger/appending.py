"""A worker to be killed: appends records for ever, and notes in a file each one whose append has returned.

python -m tests.ledger.appending JOURNAL_DIRECTORY NOTES [DRAINED_EVERY]

With DRAINED_EVERY frames wait in memory, and only every so many calls are written.
"""

import os
import sys
from pathlib import Path

from gw.ledger.journal import JournalWriter
from tests.ledger.records import begun, opened, record


def main(directory: str, notes: str, drained_every: str = "") -> None:
    every = int(drained_every or 0)
    on_waiting = (lambda: None) if every else None
    writer = JournalWriter(Path(directory), "0-a", segment_bytes_max=30_000, on_waiting=on_waiting)
    noted = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    while True:
        call_id = f"{writer.boot}-{number:08}"
        writer.open_call(opened(number % 7, begun(call_id)))
        writer.append(record(call_id))
        os.write(noted, f"{call_id}\n".encode())
        number += 1
        if every and not number % every:
            writer.drain()


if __name__ == "__main__":
    main(*sys.argv[1:])
