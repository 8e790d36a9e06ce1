cdef class Settled:
    cdef public str endpoint, outcome, error, usage_source
    cdef public long long started_us, first_token_us, ended_us
    cdef public long long input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
    cdef public object list_pusd, billed_pusd
    cdef public bint charged, exact, unpriced
    cdef public int retries
