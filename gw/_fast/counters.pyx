"""A worker's counters in the state file: one writer, so plain additions to aligned 64-bit words."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t


cdef class Counters:
    cdef Py_buffer view  # held as long as this object lives
    cdef Py_ssize_t count

    def __cinit__(self, memory):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        self.count = self.view.len // 8

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def add(self, *pairs):
        cdef int64_t *words = <int64_t *>self.view.buf
        cdef Py_ssize_t i, at, size = len(pairs)
        if size % 2:
            raise ValueError("every index needs an amount")
        for i in range(0, size, 2):
            at = pairs[i]
            if at < 0 or at >= self.count:
                raise IndexError(f"there is no counter {at}")
            words[at] += <int64_t>pairs[i + 1]

    def __getitem__(self, Py_ssize_t at):
        if at < 0 or at >= self.count:
            raise IndexError(f"there is no counter {at}")
        return (<int64_t *>self.view.buf)[at]

    def __len__(self):
        return self.count
