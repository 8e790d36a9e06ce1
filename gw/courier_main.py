"""The courier process, and who appoints what it does. The modules named here import nothing heavy before a duty runs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from gw.config.load import ConfigError
from gw.config.model import Config
from gw.courier import Appoint, Courier, CourierBusy, Desk, Duty, Performer, run
from gw.courier_content import content_duties
from gw.courier_export import ERRANDS as EXPORT_ERRANDS
from gw.courier_export import appoint as export_duties
from gw.courier_telemetry import appoint as telemetry_duties
from gw.courier_watch import ERRANDS as WATCH_ERRANDS
from gw.courier_watch import appoint as watch_duties
from gw.ledger.database import database_of
from gw.ledger.store import StoreError
from gw.ops.process import configure_logging, die_with_supervisor, in_the_background
from gw.ops.state import STATE_FILE, StateFile
from gw.snapshot import config_of, read

log = logging.getLogger("gw.courier")

APPOINT: tuple[Appoint, ...] = (content_duties, export_duties, telemetry_duties, watch_duties)
ERRANDS: Mapping[str, Performer] = {**EXPORT_ERRANDS, **WATCH_ERRANDS}


def duties_of(config: Config) -> list[Duty]:
    """What a courier would do for this configuration."""
    return [duty for appoint in APPOINT for duty in appoint(config)]


def main() -> int:
    """Ends on SIGTERM; Ctrl-C is the supervisor's to handle."""
    die_with_supervisor(signal.SIGTERM)
    in_the_background()
    state_dir = Path(os.environ["GW_STATE_DIR"])
    configure_logging("info")
    try:
        published = read(state_dir)
        config = config_of(published)
        configure_logging(config.server.log_level)
        desk = Desk(state_dir, StateFile(state_dir / STATE_FILE), database_of(config.storage.address), published)
        asyncio.run(run(Courier(desk, APPOINT, ERRANDS)))
    except (CourierBusy, ConfigError, StoreError, OSError, ValueError) as error:
        log.error("the courier ends: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
