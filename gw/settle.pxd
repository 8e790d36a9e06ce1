# Compiled, a Call is a C struct: its fields cost a load instead of a lookup. Uncompiled, settle.py stands alone.

cdef class Call:
    cdef public str call_id, endpoint, worker, device, session_id, upstream_request_id, budget, shadowed
    cdef public object snapshot, account, deployment, values, who, terms, peek, tap, reading, receive, watch, record, hold
    cdef public long long started_us, first_byte_us, first_token_us, body_bytes, response_bytes, charged_us
    cdef public int slot, status, upstream_status, retries
    cdef public bint own_credential, sent, billed, client_gone, stopping
