from libc.stdint cimport int64_t


cdef class Counters:
    cdef Py_buffer view  # held as long as this object lives
    cdef Py_ssize_t count

    cpdef int add(self, Py_ssize_t at, int64_t amount) except -1


cdef class Slots:
    cdef Py_buffer view
    cdef readonly int size

    cpdef int name(self, Py_ssize_t slot, str text) except -1
