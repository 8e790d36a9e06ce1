"""Who pays for a call: the account path of one client credential, innermost (virtual key) to outermost (customer)."""

from fnmatch import fnmatchcase
from typing import Any

GIVEN = (
    "key_id", "key_name", "team", "customer", "models", "upstreams", "expires_us", "active", "credential", "max_cost_nusd",
    "max_tokens", "problem", "stores_content",
)  # fmt: skip
ALL = ("*",)


class Account:
    """A virtual key with its path, or a client's own credential in passthrough (`key_id` empty, `credential` set). Nothing
    changes it."""

    __slots__ = (
        "active", "any_model", "any_upstream", "bounded", "credential", "customer", "expires_us", "key_id", "key_name",
        "max_cost_nusd", "max_tokens", "models", "passthrough", "problem", "stores_content", "team", "upstreams",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - the path, from within outwards, and what it may use
        self,
        key_id: str = "",
        key_name: str = "",
        team: str = "",
        customer: str = "",
        models: tuple[str, ...] = ALL,
        upstreams: tuple[str, ...] = ALL,
        *,
        expires_us: int = 0,
        active: bool = True,
        credential: str = "",
        max_cost_nusd: int = 0,
        max_tokens: int = 0,
        problem: str = "",
        stores_content: bool = False,
    ) -> None:
        self.key_id = key_id
        self.key_name = key_name
        self.team = team
        self.customer = customer
        self.models = models
        self.upstreams = upstreams
        self.expires_us = expires_us  # 0 = never
        self.active = active  # False: revoked
        self.credential = credential  # digest of a passthrough credential
        self.max_cost_nusd = max_cost_nusd  # of one call; 0 = no such bound
        self.max_tokens = max_tokens  # of output that a call may ask for; 0 = as the model allows
        self.problem = problem  # why it is refused, although nobody has revoked it
        self.stores_content = stores_content  # its calls are kept with their content
        self.passthrough = not key_id
        self.any_model = models == ALL
        self.any_upstream = upstreams == ALL
        self.bounded = bool(max_cost_nusd or max_tokens)

    def but(self, **changes: Any) -> "Account":
        """The same with other values, by their names in `__init__`."""
        return Account(**{name: getattr(self, name) for name in GIVEN} | changes)

    def may_use_model(self, model: str) -> bool:
        return matches_any(model, self.models)

    def may_use_upstream(self, upstream: str) -> bool:
        return matches_any(upstream, self.upstreams)


def matches_any(name: str, globs: tuple[str, ...]) -> bool:
    """Case-sensitive shell globs; `("*",)` is answered without looking."""
    if globs == ALL:
        return True
    return any(fnmatchcase(name, glob) for glob in globs)
