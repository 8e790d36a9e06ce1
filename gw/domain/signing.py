"""How gw signs what it posts to a webhook, so that who gets it can tell that it is from gw, and new. Pure.

    gw-signature: t=<unix seconds>,v1=<hex>        v1 = HMAC-SHA-256 of "<t>.<body>", keyed by the shared secret

Who gets it computes the same over the bytes of the body, compares in constant time, and refuses a `t` that is minutes old.
"""

import hmac

SIGNATURE = "gw-signature"


def signature(body: bytes, secret: str, at_s: int) -> str:
    return f"t={at_s},v1={hmac.new(secret.encode(), b'%d.' % at_s + body, 'sha256').hexdigest()}"


def is_signed(header: str, body: bytes, secret: str, now_s: int, age_s_max: int = 300) -> bool:
    """The check of who gets it."""
    at, _, rest = header.removeprefix("t=").partition(",")
    if not at.isdecimal() or not rest.startswith("v1=") or abs(now_s - int(at)) > age_s_max:
        return False
    return hmac.compare_digest(signature(body, secret, int(at)), header)
