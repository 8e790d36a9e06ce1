from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "frame.h" nogil:
    ctypedef struct gw_crc "struct gw_crc":
        pass

    ctypedef struct gw_frame "struct gw_frame":
        uint8_t *bytes
        size_t size
        size_t room
        uint32_t seed
        gw_crc crc


cdef class Frame:
    cdef gw_frame frame

    cpdef int begin(self, bytes kind, Py_ssize_t columns) except -1
    cpdef int array(self, Py_ssize_t count) except -1
    cpdef int text(self, str value) except -1
    cpdef int shown(self, str value, Py_ssize_t limit) except -1
    cpdef int number(self, int64_t value) except -1
    cpdef int integer(self, object value) except -1
    cpdef int flag(self, bint value) except -1
    cpdef int raw(self, bytes encoded) except -1
    cpdef int value(self, object value) except -1
    cpdef bytes since(self, Py_ssize_t start)
    cpdef bytes end(self)
