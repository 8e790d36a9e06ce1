class Rows:
    """Reads frames of the journal (gw.ledger.journal) that are as they should be; at any other it stops.

    `kinds`: a letter for each column of a record, of which the first is its id: t a text, u a text that seldom comes again, i an
    integer of 63 bits and a sign, b a flag.
    """

    def __init__(self, kinds: str, frame_bytes_max: int) -> None: ...
    def read(
        self,
        content: bytes,
        at: int,
        seed: int,
        name: str,
        base: int,
        rows: list[tuple[str | int | bool, ...]],
        begun: dict[str, tuple[str, int, bytes]],
        most: int,
        frames: int,
    ) -> int:
        """From `at` on: finished calls are appended to `rows`, and taken out of `begun`. Calls that were begun are put there by
        their id: `name`, where the frame begins (`base` + its place in `content`), and the frame, of which no more is looked at.

        Until there are `most` of both, for so many `frames`, or until a frame that is damaged, of another kind, or of other
        columns. Answers where the first one begins that was not taken.
        """
