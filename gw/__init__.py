"""gw: the gateway that makes Claude Code's cost visible, bounded and small."""

__version__ = "0.1.0"
