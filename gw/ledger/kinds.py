"""What kind of session a call is of, and how long its prompt was, as SQL over the columns of `call`; `rollup_shape.path_of` says
the same of a row. Pure."""

from gw.ledger.rollup_shape import CONTEXTS, KINDS, LONG_CONTEXT_TOKENS, SIDE_PROMPT_TOKENS, SMALL_MODEL

_CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


def context_sql(of: str = "") -> str:
    """`of`: the table's name with its dot."""
    prompt = " + ".join(f"{of}{name}" for name in ("input_tokens", *_CACHED))
    return f"(CASE WHEN {prompt} > {LONG_CONTEXT_TOKENS} THEN '{CONTEXTS[1]}' ELSE '{CONTEXTS[0]}' END)"


def kind_sql(of: str = "") -> str:
    cached = " + ".join(f"{of}{name}" for name in _CACHED)
    side = f"({of}input_tokens < {SIDE_PROMPT_TOKENS} OR lower({of}requested_model) LIKE '%{SMALL_MODEL}%')"
    return (
        f"(CASE WHEN {of}agent_id <> '' THEN '{KINDS[1]}' WHEN {of}session_id = '' THEN '{KINDS[3]}' "
        f"WHEN {cached} = 0 AND {of}usage_source <> 'none' AND {side} THEN '{KINDS[2]}' ELSE '{KINDS[0]}' END)"
    )
