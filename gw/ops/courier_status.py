"""What the courier says of itself: `<state_dir>/courier.json`, replaced whole; for the control API and whoever watches."""

from pathlib import Path

import msgspec
from msgspec import Struct

STATUS_FILE = "courier.json"


class DutyStatus(Struct, frozen=True):
    state: str  # running, paused (after a failure), done
    since_us: int
    failures: int = 0  # since it was begun for the settings that it has
    error: str = ""  # of the last failure


class CourierStatus(Struct, frozen=True):
    pid: int
    written_us: int
    duties: dict[str, DutyStatus]


def read_courier_status(state_dir: Path) -> CourierStatus | None:
    """None if no courier has run here, or one of another version."""
    try:
        return msgspec.json.decode((state_dir / STATUS_FILE).read_bytes(), type=CourierStatus)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
