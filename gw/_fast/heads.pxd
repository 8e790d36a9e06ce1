from libc.stdint cimport int64_t


cdef class Sent:
    cdef readonly bytes head, credentials, gw_key, api_key, authorization, content_encoding
    cdef readonly int64_t content_length
    cdef readonly dict values


cdef class Answer:
    cdef readonly list headers
    cdef readonly str request_id
    cdef readonly bytes content_type, encoding
    cdef readonly bint streams


cpdef Sent read_request(list headers)
cpdef Answer to_client(list upstream, bytes call_id, bint own_account)
cpdef str text_of(bytes value, Py_ssize_t limit=*)
cpdef str word_of(bytes value)
cpdef str shown(str text, Py_ssize_t limit)
