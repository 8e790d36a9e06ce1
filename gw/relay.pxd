# Compiled, a Stream is a C struct, and what `take` needs of its call and response are loads.

from gw.settle cimport Call as Call_
from gw.upstream.response cimport Response as Response_


cdef class Stream:
    cdef Call_ _call
    cdef Response_ _response
    cdef object _worker, _tap, _send, _feed, _sending, _ending, _decoded, _between
    cdef bytes _last
    cdef long long _look_at, _gone_text_bytes
    cdef bint _at_once, _opaque

    cdef _pass_on(self, bytes chunk)
    cdef _told(self, bytes chunk, bytes story)
