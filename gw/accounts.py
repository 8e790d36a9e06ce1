"""From keys to accounts: which digest of a key opens which account, from the configuration and from the database."""

from collections.abc import Iterable, Mapping

from gw.config.content_rules import stores
from gw.config.model import Config, Key
from gw.domain.account import Account
from gw.domain.key import KeyRow, digest, parse
from gw.domain.money import nusd_from_usd
from gw.domain.stored import LeftOut, Stored


def accounts(file: Config, whole: Config, stored: Stored, left_out: Iterable[LeftOut], pepper: bytes) -> dict[bytes, Account]:
    """Key digest -> account. `whole` is the file's configuration with what the database defines, `left_out` what of that is not
    in force: calls of such a key are refused. Keys of the file win over rows of the same digest."""
    customer_of = {team.name: team.customer for team in whole.team}
    wish_of = {team.name: team.store_content for team in whole.team}
    problem_of = {one.name: one.problem.partition(";")[0] for one in left_out if one.kind == "key"}  # no guesses at other names
    found: dict[bytes, Account] = {}
    for row in stored.keys:
        stores_content = stores(file, key=row.store_content, team=wish_of.get(row.team, ""))
        problem = "" if row.revoked_us else problem_of.get(row.name, "")
        account = _stored(row, customer_of, problem, stores_content=stores_content)
        for former in row.former:
            until_us = min(former.until_us, row.expires_us or former.until_us)
            found[bytes.fromhex(former.digest)] = account.but(expires_us=until_us)
        found[bytes.fromhex(row.digest)] = account
    for key in file.key:
        stores_content = stores(file, key=key.store_content, team=wish_of.get(key.team, ""))
        if key.secret:
            public_id = parse(key.secret.reveal()).public_id or key.name
            account = _configured(key, public_id, customer_of, stores_content=stores_content)
            found[digest(key.secret.reveal(), pepper)] = account
        elif key.secret_hash:
            found[bytes.fromhex(key.secret_hash)] = _configured(key, key.name, customer_of, stores_content=stores_content)
        # else its secret is not set in this environment: `gw check` says so
    return found


def _stored(row: KeyRow, customer_of: Mapping[str, str], problem: str, *, stores_content: bool) -> Account:
    return Account(
        key_id=row.public_id,
        key_name=row.name,
        team=row.team,
        customer=customer_of.get(row.team, ""),
        models=row.models,
        upstreams=row.upstreams,
        expires_us=row.expires_us,
        active=row.active and not row.revoked_us and not problem,
        problem=problem,
        max_cost_nusd=_nusd(row.max_cost_usd),
        max_tokens=row.max_tokens,
        stores_content=stores_content,
    )


def _configured(key: Key, key_id: str, customer_of: Mapping[str, str], *, stores_content: bool) -> Account:
    return Account(
        key_id=key_id,
        key_name=key.name,
        team=key.team,
        customer=customer_of.get(key.team, ""),
        models=key.models,
        upstreams=key.upstreams,
        expires_us=key.expires_us,
        active=key.active,
        max_cost_nusd=_nusd(key.max_cost_usd),
        max_tokens=key.max_tokens,
        stores_content=stores_content,
    )


def _nusd(usd: str) -> int:
    """0 for no bound. A bound of 0 USD is one: the least that can be said."""
    return max(nusd_from_usd(usd), 1) if usd else 0
