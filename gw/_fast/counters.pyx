"""A worker's counters in the state file, and its slots: one writer, so plain additions to aligned 64-bit words."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset


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


cdef class Slots:
    def __cinit__(self, memory, int size):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        self.size = size

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cpdef int name(self, Py_ssize_t slot, str text) except -1:
        cdef Py_ssize_t length = 0
        cdef const char *start = PyUnicode_AsUTF8AndSize(text, &length)
        if slot < 0 or slot >= self.view.len // self.size or length > self.size:
            raise IndexError(f"there is no slot {slot}, or no room in it for {length} bytes")
        cdef char *at = <char *>self.view.buf + slot * self.size
        memset(at, 0, self.size)
        memcpy(at, start, length)
        return 0
