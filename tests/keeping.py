"""A keeper to be killed or stopped: python -m tests.keeping STATE_DIRECTORY DATABASE"""

import asyncio
import sys
from pathlib import Path

from gw.keeper import KeeperSettings, run

if __name__ == "__main__":
    asyncio.run(run(KeeperSettings(Path(sys.argv[1]), Path(sys.argv[2]), rows_max=50)))
