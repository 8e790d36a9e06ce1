# Compiled, a Connection is a C struct, and so is the response it fills.

from gw.upstream.framing cimport check_size
from gw.upstream.response cimport Response as Response_


cdef class Connection:
    cdef public Response_ response
    cdef public object target, _transport
    cdef public int phase
    cdef public bint reading_paused
    cdef public double sent_at, total_at
    cdef object _loop, _lane, _parser, _timer, _outgoing, _feed, _time
    cdef list _header_list
    cdef bytes _method
    cdef long long _head_bytes, _overhead, _uses
    cdef double _since, _timer_at
    cdef bint _reusable, _until_end, _write_paused
