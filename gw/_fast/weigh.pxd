from libc.stdint cimport int64_t


cdef class Weight:
    cdef readonly int64_t text_bytes, bound_bytes, images, documents, document_bytes, blocks, tools, defined_tools, server_tools
    cdef readonly int64_t searches_cap, advisor_uses, fallbacks, compaction, references, output_cap, ttl, fast, geo


cpdef Weight weigh(bytes body)
