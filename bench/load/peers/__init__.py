"""Other gateways, to be measured in the same run: LiteLLM (PyPI) and Portkey (npm), each in a folder of its own.

`python -m bench.load.peers install` fetches pinned versions into `.cache/peers`; what is not there is left out of a run and
named as absent. Each is set up as its own documentation advises for speed, with all that costs it time switched off: no
database, no keys, no budgets, no limits, no callbacks, no console. Versions and settings stand in the results.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / ".cache" / "peers"
# What the scenarios ask for; LiteLLM has to know the names.
MODELS = ("claude-opus-5-5", "claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5-20251001")
