from libc.stdint cimport int64_t

cdef enum:
    SEGMENT = 0  # words at the beginning of a buffer
    BASE = 1
    LENGTH = 2
    HEAD = 32  # bytes before the first frame

cpdef Py_ssize_t append(int fd, bytes data) except -1


cdef class WriteBuffer:
    cdef Py_buffer view
    cdef readonly Py_ssize_t size, room

    cpdef bint put(self, bytes data) except -1
    cpdef Py_ssize_t write_to(self, int fd) except -1
    cpdef clear(self, int64_t segment, int64_t base)
