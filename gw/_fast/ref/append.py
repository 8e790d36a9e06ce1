"""The twin: the same but for the interpreter lock."""

from os import write as append

__all__ = ["append"]
