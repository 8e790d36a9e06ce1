from libc.stdint cimport int64_t


cdef class Figures:
    cdef int64_t *values
    cdef readonly Py_ssize_t count

    cdef int checked(self, Py_ssize_t at) except -1
    cpdef int add(self, Py_ssize_t at, int64_t more) except -1
    cpdef int add_money(self, Py_ssize_t at, int64_t pusd, int64_t unit) except -1
    cpdef int observe(self, Py_ssize_t at, tuple bounds, int64_t value) except -1
    cpdef list shown(self)
