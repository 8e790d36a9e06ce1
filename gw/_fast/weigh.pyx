"""What a request body can make the provider do: one pass of C over the bytes. The C and its rules are in weigh.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t

from gw._fast.fields import Weight


cdef extern from "weigh.h" nogil:
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

    int gw_weigh_body(gw_weigh *found, const uint8_t *body, int64_t size) noexcept


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_alloc)(PyTypeObject *, Py_ssize_t)


cdef enum:
    FIELDS = 18

assert len(Weight._fields) == FIELDS


cdef inline void put(object weight, Py_ssize_t at, object value):
    Py_INCREF(value)  # the tuple takes it over
    PyTuple_SET_ITEM(weight, at, value)


def weigh(bytes body not None):
    cdef gw_weigh w
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    if not gw_weigh_body(&w, <const uint8_t *>PyBytes_AS_STRING(body), size):
        raise ValueError("the body is not one JSON object")
    cdef int64_t[FIELDS] fields = [
        w.text_bytes, size - w.media_bytes, w.images, w.documents, w.document_bytes, w.blocks, w.tools, w.defined_tools,
        w.server_tools, w.searches_cap, w.advisor_uses, w.fallbacks, w.compaction, w.references, w.output_cap, w.ttl, w.fast, w.geo,
    ]
    cdef PyTypeObject *kind = <PyTypeObject *>Weight
    cdef object weight = kind.tp_alloc(kind, FIELDS)  # as tuple.__new__ does, without the tuple that it would copy
    cdef Py_ssize_t i
    for i in range(FIELDS):
        put(weight, i, fields[i])
    return weight
