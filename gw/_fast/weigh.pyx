"""What a request body can make the provider do: one pass of C over the bytes. The C is in body_scan.h, its rules
in weigh.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t

from gw._fast.fields import Weight as Named


cdef extern from *:
    """
    #define GW_PEEKS 0
    #define GW_WEIGHS 1
    """


cdef extern from "body_scan.h" nogil:
    ctypedef struct gw_weigh "struct gw_weigh":
        int64_t text_bytes
        int64_t media_bytes
        int64_t images
        int64_t documents
        int64_t document_bytes
        int64_t blocks
        int64_t tools
        int64_t defined_tools
        int64_t server_tools
        int64_t searches_cap
        int64_t advisor_uses
        int64_t fallbacks
        int64_t references
        int64_t output_cap
        int compaction
        int ttl
        int fast
        int geo

    ctypedef struct gw_body "struct gw_body":
        gw_weigh weigh

    int gw_read_body(gw_body *found, const uint8_t *body, int64_t size) noexcept


cdef class Weight:
    _fields = Named._fields

    def __init__(self, *args, **kwargs):
        (
            self.text_bytes, self.bound_bytes, self.images, self.documents, self.document_bytes, self.blocks, self.tools,
            self.defined_tools, self.server_tools, self.searches_cap, self.advisor_uses, self.fallbacks, self.compaction,
            self.references, self.output_cap, self.ttl, self.fast, self.geo,
        ) = Named(*args, **kwargs)

    def __iter__(self):
        return iter((
            self.text_bytes, self.bound_bytes, self.images, self.documents, self.document_bytes, self.blocks, self.tools,
            self.defined_tools, self.server_tools, self.searches_cap, self.advisor_uses, self.fallbacks, self.compaction,
            self.references, self.output_cap, self.ttl, self.fast, self.geo,
        ))

    def __eq__(self, other):
        return tuple(self) == tuple(other) if isinstance(other, (Weight, Named)) else NotImplemented

    def __hash__(self):
        return hash(tuple(self))

    def __repr__(self):
        return repr(Named(*self))

    def _replace(self, **kwargs):
        return Weight(*Named(*self)._replace(**kwargs))


cdef Weight weight_of(const void *weighed, Py_ssize_t size):
    cdef const gw_weigh *w = <const gw_weigh *>weighed
    cdef Weight weight = Weight.__new__(Weight)
    weight.text_bytes, weight.bound_bytes = w.text_bytes, size - w.media_bytes
    weight.images, weight.documents, weight.document_bytes = w.images, w.documents, w.document_bytes
    weight.blocks, weight.tools, weight.defined_tools, weight.server_tools = w.blocks, w.tools, w.defined_tools, w.server_tools
    weight.searches_cap, weight.advisor_uses, weight.fallbacks = w.searches_cap, w.advisor_uses, w.fallbacks
    weight.compaction, weight.references, weight.output_cap = w.compaction, w.references, w.output_cap
    weight.ttl, weight.fast, weight.geo = w.ttl, w.fast, w.geo
    return weight


cpdef Weight weigh(bytes body):
    cdef gw_body found
    if body is None:
        raise TypeError("a body is bytes, not None")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    if not gw_read_body(&found, <const uint8_t *>PyBytes_AS_STRING(body), size):
        raise ValueError("the body is not one JSON object")
    return weight_of(&found.weigh, size)
