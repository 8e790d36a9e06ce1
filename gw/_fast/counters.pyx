"""A worker's counters in the state file: one writer, so plain additions to aligned 64-bit words."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t


cdef class Counters:
    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        self.count = self.view.len // 8

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cpdef int add(self, Py_ssize_t at, int64_t amount) except -1:
        if at < 0 or at >= self.count:
            raise IndexError(f"there is no counter {at}")
        (<int64_t *>self.view.buf)[at] += amount
        return 0

    def __getitem__(self, Py_ssize_t at):
        if at < 0 or at >= self.count:
            raise IndexError(f"there is no counter {at}")
        return (<int64_t *>self.view.buf)[at]

    def __len__(self):
        return self.count
