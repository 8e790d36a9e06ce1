"""What tests of the service share: a file, and who asks."""

from pathlib import Path

from gw.config.load import parse
from gw.config.model import Config
from gw.control.service import Actor

PEPPER = bytes(range(32))
ANN = Actor("ann", "api")
FILE = """\
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "ci"
secret_hash = "abababababababababababababababababababababababababababababababab"
[[budget]]
name = "all"
team = "*"
limit_usd = "100"
[[upstream]]
name = "main"
api_key = "literal-key"
"""


def config_of(text: str = FILE) -> Config:
    return parse(text, "config.toml", Path("/base"), {}).config
