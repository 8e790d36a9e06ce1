"""Refusals: gw's own error answers, expected and named. One table says status, error type and whether a client may retry.

Every refusal has a stable slug (header `x-gw-error`, ledger column `error`) and a message that says what to do. The
statuses and types are chosen by what Claude Code does with them (measured): a 400 is resent unless its type is
`policy_blocked` or `billing_error`, a 401 is retried for three minutes unless `x-should-retry: false` is set, a 404 hides
the message, 403 asks the developer to log in again. A 429 is retried for three minutes, too, unless it says not to; with a
`retry-after` of a minute or more it is shown at once.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Kind(NamedTuple):
    status: int
    type: str  # `error.type` in Anthropic's envelope
    retry: bool | None  # x-should-retry: false when False, absent when None (the client's own rule applies)


REFUSALS: dict[str, Kind] = {
    # the request
    "invalid_json": Kind(400, "invalid_request_error", None),
    "request_incomplete": Kind(400, "invalid_request_error", None),
    "duplicate_key": Kind(400, "invalid_request_error", None),
    "invalid_field": Kind(400, "invalid_request_error", None),
    "body_too_large": Kind(413, "request_too_large", None),
    "capability_rejected": Kind(400, "invalid_request_error", None),  # Claude Code resends without the capability that is named
    "cannot_carry": Kind(400, "policy_blocked", False),  # the upstream's dialect has no words for it, and nothing heals that
    "unsupported_encoding": Kind(415, "invalid_request_error", None),
    "unknown_path": Kind(404, "not_found_error", None),
    "method_not_allowed": Kind(405, "invalid_request_error", None),
    # the key
    "missing_credential": Kind(401, "authentication_error", False),
    "malformed_key": Kind(401, "authentication_error", False),
    "unknown_key": Kind(401, "authentication_error", False),
    "revoked_key": Kind(401, "authentication_error", False),
    "expired_key": Kind(401, "authentication_error", False),
    "virtual_key_required": Kind(401, "authentication_error", False),
    # policy and routing
    "model_not_allowed": Kind(400, "policy_blocked", False),
    "upstream_not_allowed": Kind(400, "policy_blocked", False),
    "model_unpriced": Kind(400, "policy_blocked", False),
    "denied_by_rule": Kind(400, "policy_blocked", False),
    "no_route": Kind(404, "not_found_error", None),
    "request_too_costly": Kind(400, "policy_blocked", False),
    "max_tokens_exceeded": Kind(400, "policy_blocked", False),
    # budgets and limits: docs/budgets.md says what a developer sees of each
    "budget_exceeded": Kind(429, "billing_error", False),
    "budget_unreadable": Kind(429, "billing_error", False),
    "budget_reserved": Kind(429, "rate_limit_error", None),  # not spent: what running calls give back may be enough
    "rate_limited": Kind(429, "rate_limit_error", None),
    "too_many_parallel": Kind(429, "rate_limit_error", None),
    "gateway_busy": Kind(529, "overloaded_error", None),
    # upstream
    "upstream_no_credential": Kind(502, "api_error", False),
    "upstream_credential_refused": Kind(502, "api_error", False),
    "upstream_unreachable": Kind(503, "api_error", None),
    "upstream_tls": Kind(502, "api_error", False),
    "upstream_proxy": Kind(502, "api_error", None),
    "upstream_redirect": Kind(502, "api_error", False),
    "upstream_protocol": Kind(502, "api_error", None),
    "upstream_reset": Kind(502, "api_error", None),
    "upstream_connect_timeout": Kind(504, "timeout_error", None),
    "upstream_first_byte_timeout": Kind(504, "timeout_error", None),
    "upstream_idle_timeout": Kind(504, "timeout_error", None),
    "upstream_total_timeout": Kind(504, "timeout_error", None),
    "upstream_saturated": Kind(529, "overloaded_error", None),
    # gw itself
    "starting": Kind(503, "api_error", None),
    "draining": Kind(503, "api_error", None),
    "journal_unavailable": Kind(503, "api_error", None),
    "gw_error": Kind(500, "api_error", None),
}

RETRY_AFTER_S = {
    "upstream_unreachable": 5,
    "starting": 5,
    "draining": 1,
    "journal_unavailable": 10,
    "upstream_saturated": 2,
    "budget_reserved": 2,
    "too_many_parallel": 1,
    "gateway_busy": 2,
}


class Refusal(Exception):
    """Raised by any room before bytes went to the client; the pipeline turns it into an answer and a row.

    `retry_after_s`: instead of the slug's own, 0 for none. `headers`: more of them, for the answer. `rule`: id of the budget or
    limit that refuses, for the row.
    """

    def __init__(
        self,
        slug: str,
        message: str,
        *,
        retry_after_s: int | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        rule: str = "",
    ) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.kind = REFUSALS[slug]
        self.retry_after_s = RETRY_AFTER_S.get(slug, 0) if retry_after_s is None else retry_after_s
        self.headers = tuple(headers)
        self.rule = rule
