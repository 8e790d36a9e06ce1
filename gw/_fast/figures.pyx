"""Counters of the keeper's tables: C integers where Python would make two objects for each that moves. The C is in figures.h."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free


cdef extern from "figures.h" nogil:
    void gw_count_on(int64_t *figure, int64_t more) noexcept


cdef class Figures:
    def __cinit__(self, values):
        cdef Py_ssize_t i
        cdef tuple before = tuple(values)
        self.count = len(before)
        self.values = <int64_t *>calloc(<size_t>self.count + 1, sizeof(int64_t))
        if self.values is NULL:
            raise MemoryError
        for i in range(self.count):
            self.values[i] = before[i]

    def __dealloc__(self):
        free(self.values)

    cdef int checked(self, Py_ssize_t at) except -1:
        if at < 0 or at >= self.count:
            raise IndexError(f"there is no figure {at}")
        return 0

    cpdef int add(self, Py_ssize_t at, int64_t more) except -1:
        self.checked(at)
        gw_count_on(&self.values[at], more)
        return 0

    cpdef int add_money(self, Py_ssize_t at, int64_t pusd, int64_t unit) except -1:
        if unit <= 0:
            raise ValueError("a unit is above 0")
        self.checked(at)
        self.checked(at + 1)
        gw_count_on(&self.values[at + 1], pusd)
        gw_count_on(&self.values[at], self.values[at + 1] // unit)
        self.values[at + 1] %= unit
        return 0

    cpdef int observe(self, Py_ssize_t at, tuple bounds, int64_t value) except -1:
        cdef Py_ssize_t bucket = 0, size = len(bounds)
        self.checked(at)
        self.checked(at + size + 1)
        while bucket < size and value > <int64_t>bounds[bucket]:
            bucket += 1
        gw_count_on(&self.values[at + bucket], 1)
        gw_count_on(&self.values[at + size + 1], value)
        return 0

    cpdef list shown(self):
        cdef Py_ssize_t i
        return [self.values[i] for i in range(self.count)]
