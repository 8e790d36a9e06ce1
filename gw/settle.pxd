# Compiled, a Call is a C struct: its fields cost a load instead of a lookup. Uncompiled, settle.py stands alone.

cimport cython

from gw._fast.frame cimport Frame as Frame_
from gw.domain.settled cimport Settled as Settled_


cdef class Call:
    cdef public str call_id, endpoint, worker, device, session_id, upstream_request_id, budget, shadowed
    cdef public dict values
    cdef public object snapshot, account, deployment, terms, peek, tap, reading, receive, watch, hold, weight
    cdef public tuple who
    cdef public bytes who_columns
    cdef public Settled_ record
    cdef public long long started_us, first_byte_us, first_token_us, body_bytes, response_bytes, charged_us
    cdef public int slot, second_slot, status, upstream_status, retries
    cdef public bint own_credential, sent, billed, client_gone, stopping


cpdef opened(Call call, Frame_ frame)
cpdef Settled_ settled(Call call, Frame_ frame, str outcome, str error)
cpdef Settled_ unpriced(Call call, Frame_ frame, str outcome, str error)
cpdef Settled_ closed(Call call, Frame_ frame, reading, str source, priced, str outcome, str error)
@cython.locals(start=cython.Py_ssize_t)
cdef _who(Call call, Frame_ frame)
cdef _columns_of(Call call)
cdef _usage(Settled_ done, Frame_ frame, usage)
cdef _price(Settled_ done, Frame_ frame, priced)
