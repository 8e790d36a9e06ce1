from libc.stdint cimport int64_t


cdef class Weight:
    cdef readonly int64_t text_bytes, bound_bytes, images, documents, document_bytes, blocks, tools, defined_tools, server_tools
    cdef readonly int64_t searches_cap, advisor_uses, fallbacks, compaction, references, output_cap, ttl, fast, geo


# `weighed`: a struct gw_weigh of a body of `size` bytes; void, so that who imports this needs no C header.
cdef Weight weight_of(const void *weighed, Py_ssize_t size)
cpdef Weight weigh(bytes body)
