"""What an export says when it cannot go on."""


class ExportError(Exception):
    """The run cannot be finished now: the target refuses or cannot be reached, the extra is missing. For people; no secrets."""
