"""`python -m gw` is `gw`, and so is the installed command."""

import sys


def main() -> None:
    """Claude Code waits for the status line at each message, so that one loads none of the other commands (100 ms)."""
    if sys.argv[1:] == ["statusline"]:
        from gw.statusline import main as status_line  # noqa: PLC0415

        status_line()
    else:
        from gw.cli import main as commands  # noqa: PLC0415

        commands()


if __name__ == "__main__":
    main()
