"""Who pays for a call: the account path of one client credential, innermost (virtual key) to outermost (customer)."""

from fnmatch import fnmatchcase

from msgspec import Struct


class Account(Struct, frozen=True):
    """A virtual key with its path, or a client's own credential in passthrough (`key_id` empty, `credential` set)."""

    key_id: str = ""
    key_name: str = ""
    team: str = ""
    customer: str = ""
    models: tuple[str, ...] = ("*",)
    upstreams: tuple[str, ...] = ("*",)
    expires_us: int = 0  # 0 = never
    active: bool = True  # False: revoked
    credential: str = ""  # digest of a passthrough credential
    max_cost_nusd: int = 0  # of one call; 0 = no such bound
    max_tokens: int = 0  # of output that a call may ask for; 0 = as the model allows
    problem: str = ""  # why it is refused, although nobody has revoked it
    stores_content: bool = False  # its calls are kept with their content

    @property
    def passthrough(self) -> bool:
        return not self.key_id

    @property
    def bounded(self) -> bool:
        return bool(self.max_cost_nusd or self.max_tokens)

    def may_use_model(self, model: str) -> bool:
        return matches_any(model, self.models)

    def may_use_upstream(self, upstream: str) -> bool:
        return matches_any(upstream, self.upstreams)


def matches_any(name: str, globs: tuple[str, ...]) -> bool:
    """Case-sensitive shell globs; `("*",)` is answered without looking."""
    if globs == ("*",):
        return True
    return any(fnmatchcase(name, glob) for glob in globs)
