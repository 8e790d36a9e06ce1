from gw._fast.fields import Weight

class Peek:
    """What a request body says at its top level. With an error all other fields but key_count stand at their empty value."""

    error: str
    """"" or not_object, invalid_json, trailing_data, duplicate_model, duplicate_stream, duplicate_max_tokens, bad_model
    (no string, or empty), bad_stream (no bool, no null), bad_max_tokens (no integer literal in 0..2^63-1)."""
    error_offset: int  # of the byte at fault, or for a doubled key the byte after it
    model: str | None
    model_start: int  # offsets of the model's JSON string, quotes included; -1 without one
    model_end: int
    stream: bool
    max_tokens: int  # -1: absent
    ttl: int  # minutes: 5 or 60 if all cache_control agree; 0: none, mixed or unknown
    has_cache_control: bool
    user_id: str | None  # metadata.user_id
    speed: str
    service_tier: str
    key_count: int  # at the top level
    weight: Weight | None  # what `weigh` says of the same body, if it was asked for, too (gw._fast.peekweigh)

def peek(body: bytes) -> Peek:
    """Reads the body once, strictly (RFC 8259, UTF-8, at most 512 levels), without building a tree.

    `input`, `input_schema` and the metadata are the client's own words: a cache_control in there is none. A lone
    surrogate in a string comes out as U+FFFD, so that every string here can be encoded.
    """
