"""The table of dialects."""

from gw.translate.dialect import Dialect

DIALECTS: dict[str, Dialect] = {}
