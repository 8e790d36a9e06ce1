from libc.stdint cimport int64_t


cdef class Told:
    cdef readonly str session_id, agent_id, parent_agent_id, prompt_id, project, tags, client
    cdef public object known


cdef class Sent:
    cdef readonly bytes head, credentials, gw_key, api_key, authorization, content_encoding
    cdef readonly int64_t content_length
    cdef readonly dict values
    cdef readonly Told told
    cdef list pairs
    cdef Py_ssize_t length_at


cdef class Answer:
    cdef readonly list headers
    cdef readonly str request_id
    cdef readonly bytes content_type, encoding
    cdef readonly bint streams


cpdef Sent read_request(list headers)
cpdef Told told_by(dict values)
cpdef Answer to_client(list upstream, bytes call_id, bint own_account)
cpdef str text_of(bytes value, Py_ssize_t limit=*)
cpdef str word_of(bytes value)
cpdef str shown(str text, Py_ssize_t limit)
cpdef str numbered(str prefix, int64_t serial)
cpdef bytes amount_text(int64_t amount, int decimals)
