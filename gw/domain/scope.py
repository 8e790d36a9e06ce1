"""Which calls a budget or a limit is about, and which account each of them is charged to. Pure.

A call has one path, from the customer inwards. A scope names one place on it; the value that a call has there, or the
name of the scope itself, is the *account*. Where a call has no value (no team, no session), it has no account.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

ScopeKind = Literal["customer", "team", "key", "upstream", "model", "project", "session"]
KINDS: tuple[ScopeKind, ...] = ("customer", "team", "key", "upstream", "model", "project", "session")  # outermost first
RANK = {kind: rank for rank, kind in enumerate(KINDS)}

_CLIENT_SUFFIX = re.compile(r"\[\d+[km]\]$")


class CallPath(NamedTuple):
    """All that a call may be charged by; "" where it has nothing. `model`: as requested, in any case, with or without [1m]."""

    customer: str = ""
    team: str = ""
    key_name: str = ""
    key_id: str = ""
    upstream: str = ""
    model: str = ""
    project: str = ""
    session: str = ""


class Scope(Struct, frozen=True):
    """`name`: a name, or a glob with `*` and `?`. All calls that match share one account, unless `each`: then each value has
    its own. Sessions always have. A key is known by its name and by its public id, and its account by its name: a key that is
    rotated keeps it."""

    kind: ScopeKind
    name: str
    each: bool = False
    key: str = ""  # only calls of this key

    @property
    def is_pattern(self) -> bool:
        return is_pattern(self.name)

    @property
    def identity(self) -> tuple[str, str, bool, str]:
        """Of the sums that are kept for it; the same in every process."""
        return self.kind, self.name, self.each, self.key

    def account(self, path: CallPath) -> str:
        """The account of this scope that the call is charged to; "" if none."""
        if self.key and self.key not in (path.key_name, path.key_id):
            return ""
        wanted = self.name
        if self.kind == "key":
            value = path.key_name or path.key_id
            matches = _matches(path.key_name, wanted) or _matches(path.key_id, wanted)
        elif self.kind == "model":
            value, wanted = model_name(path.model), model_name(wanted)
            matches = _matches(value, wanted)
        else:
            value = str(getattr(path, self.kind))
            matches = _matches(value, wanted)
        if not matches:
            return ""
        return value if self.each or self.kind == "session" else wanted

    def text(self, account: str) -> str:
        """For people: `project "alpha"`."""
        return f'{self.kind} "{account}"'


def is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def model_name(model: str) -> str:
    """What prices go by, too: lower case, without the suffix that Claude Code adds. Spelling makes no second account."""
    return _CLIENT_SUFFIX.sub("", model.strip().lower())


def crowd(scopes: Iterable[Scope]) -> int:
    """No call falls under more of these than so many; seldom under as many."""
    patterns: Counter[str] = Counter()
    names: dict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    for scope in scopes:
        if scope.is_pattern and not scope.key:
            patterns[scope.kind] += 1
        else:
            name = model_name(scope.name) if scope.kind == "model" else scope.name
            names[scope.kind, bool(scope.key)][scope.key or name] += 1
    most = sum(patterns.values())
    for (kind, of_a_key), counts in names.items():
        taken = 2 if kind == "key" or of_a_key else 1  # a key has two names, all else has one
        most += sum(count for _, count in counts.most_common(taken))
    return most


def shared_key(purpose: str, *parts: object) -> int:
    """1 .. 2**63 - 1, for the tables of the shared state: the same in every process, for ever.

    63 bits of BLAKE2b. Of a million keys, any two are equal with odds of 1 in 18 million; of ten thousand, with 1 in
    180 billion. Two accounts with one key would share one sum: they would be refused too early, never too late.
    """
    digest = blake2b(msgspec.msgpack.encode(parts), digest_size=8, person=purpose.encode()).digest()
    return int.from_bytes(digest, "little") >> 1 or 1


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


def _matches(name: str, wanted: str) -> bool:
    """Nothing matches "", not even `*`."""
    if not name:
        return False
    return _pattern(wanted).match(name) is not None if is_pattern(wanted) else name == wanted
