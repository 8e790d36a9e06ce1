"""What routing says of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gw.routing.asked import Candidate

Flag = bool  # compiled, a C integer: decision.pxd


class Decision:
    """All that routing says of a call that it does not refuse. Nothing changes it."""

    __slots__ = (
        "by", "candidates", "effort", "larger_on_overflow", "max_tokens", "reason", "rerouted_from", "rules", "shadowed", "tags",
        "wait_s",
    )  # fmt: skip

    def __init__(
        self,
        candidates: tuple[Candidate, ...],
        *,
        reason: str = "",
        rerouted_from: str = "",
        by: str = "weight",
        max_tokens: int = 0,
        effort: str = "",
        wait_s: float = 0,
        tags: tuple[str, ...] = (),
        rules: tuple[str, ...] = (),
        shadowed: tuple[str, ...] = (),
        larger_on_overflow: Flag = False,
    ) -> None:
        self.candidates = candidates
        self.reason = reason  # of the row; "" where nothing but the order of the configuration decided
        self.rerouted_from = rerouted_from  # the model that was asked for, where another one is sent
        self.by = by  # how those of one priority share: weight or latency
        self.max_tokens = max_tokens  # cap; 0: none
        self.effort = effort  # cap; "": none
        self.wait_s = wait_s  # before it is sent
        self.tags = tags
        self.rules = rules  # names of those that applied
        self.shadowed = shadowed  # what others would have done: "NAME: deny"
        self.larger_on_overflow = larger_on_overflow  # an upstream that finds the prompt too long is no reason to refuse
