"""A follower of the mover that counts the ledger's rows by what it is told, and compares."""

from gw.ledger.store import Database, Row
from tests.support.databases import query


class Counting:
    """`told`: the call ids in the order of their coming. Fails when its count is not the ledger's."""

    def __init__(self, database: Database) -> None:
        self.told: list[str] = []
        self.failures = 0
        self.passes: list[int] = []  # how many rows there were at the end of each
        self._database = database
        self._rows = -1  # not known

    def moved(self, rows: list[Row], duplicates: int) -> None:
        self.told += [row[0] for row in rows]
        self._rows = self._rows + len(rows) - duplicates if self._rows >= 0 else self.in_ledger()
        assert self._rows == self.in_ledger()

    def failed(self) -> None:
        self.failures += 1
        self._rows = -1

    def caught_up(self) -> None:
        self.passes.append(self.in_ledger())

    def in_ledger(self) -> int:
        return int(query(self._database, "SELECT COUNT(*) FROM call")[0][0])
