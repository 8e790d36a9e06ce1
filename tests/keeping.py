"""A keeper to be killed or stopped: python -m tests.keeping STATE_DIRECTORY ADDRESS_OF_THE_LEDGER [ROWS_OF_A_BATCH]"""

import asyncio
import sys
from pathlib import Path

from gw import keeper
from gw.keeper import KeeperSettings, run
from gw.ledger.database import database_of

if __name__ == "__main__":
    keeper.BACKOFF_S = (0.05, 0.2)  # nobody waits for a database that is back already
    rows_max = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    asyncio.run(run(KeeperSettings(Path(sys.argv[1]), database_of(sys.argv[2]), rows_max=rows_max)))
