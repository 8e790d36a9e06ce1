"""The peek and the scale in one pass over a request body: for a call that will be weighed, which then is read once. The C is in
body_scan.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t

from gw._fast.jsonpeek cimport Peek, peek_of
from gw._fast.weigh cimport weight_of


cdef extern from *:
    """
    #define GW_PEEKS 1
    #define GW_WEIGHS 1
    """


cdef extern from "body_scan.h" nogil:
    ctypedef struct gw_peek "struct gw_peek":
        int error

    ctypedef struct gw_weigh "struct gw_weigh":
        pass

    ctypedef struct gw_body "struct gw_body":
        gw_peek peek
        gw_weigh weigh

    int gw_read_body(gw_body *found, const uint8_t *body, int64_t size) noexcept


cpdef Peek peek_and_weigh(bytes body):
    if body is None:
        raise TypeError("a body is bytes, not None")
    cdef gw_body found
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    gw_read_body(&found, start, size)
    cdef Peek result = peek_of(&found.peek, start)
    if found.peek.error == 0:
        result.weight = weight_of(&found.weigh, size)
    return result
