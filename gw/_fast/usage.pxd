from libc.stdint cimport int64_t


cdef class Found:
    # Of gw.domain.usage.Usage, then of Reading.
    cdef readonly int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
    cdef readonly int64_t thinking_tokens, web_search_requests, web_fetch_requests, code_execution_requests
    cdef readonly str service_tier, speed, inference_geo
    cdef readonly tuple iterations
    cdef readonly bint ttl_assumed
    cdef readonly bint started, finished, final_usage
    cdef readonly str model, message_id, stop_reason
    cdef readonly bint content_empty
    cdef readonly int64_t text_bytes
    cdef readonly str error_type
    cdef readonly bint garbled

    cpdef bint cap(self, int64_t most)
    cpdef tuple fields(self)


cpdef Found found_in(bytes body, int request_ttl)
