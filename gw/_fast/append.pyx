"""write(2) without letting go of the interpreter lock, and the memory in which frames wait for it.

`os.write` releases the lock, and on the one core of a worker the server's other thread takes it: two context switches, which
cost several times what the write into the page cache does. Use it only where a write cannot wait long: a file, a small
record.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy


cdef extern from "unistd.h":
    ssize_t c_write "write"(int fd, const void *data, size_t size) nogil

cdef extern from "atomics.h":
    ctypedef struct gw_word:
        pass
    void gw_store_release(gw_word *word, int64_t value) nogil
    void gw_fence_release() nogil


BUFFER_HEAD = HEAD


cpdef Py_ssize_t append(int fd, bytes data) except -1:
    if data is None:
        raise TypeError("a file takes bytes")
    cdef ssize_t written = c_write(fd, PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
    if written < 0:
        PyErr_SetFromErrno(OSError)
    return written


cdef class WriteBuffer:
    def __cinit__(self, memory not None):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        if self.view.len <= HEAD:
            raise ValueError(f"a buffer needs more than {HEAD} bytes")
        if <uintptr_t>self.view.buf % 8:
            raise ValueError("a buffer must be aligned to 8 bytes")
        self.room = self.view.len - HEAD

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cpdef bint put(self, bytes data) except -1:
        if data is None:
            raise TypeError("a buffer takes bytes")
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size > self.room - self.size:
            return False
        memcpy(<char *>self.view.buf + HEAD + self.size, PyBytes_AS_STRING(data), <size_t>size)
        self.size += size
        gw_store_release(<gw_word *>self.view.buf + LENGTH, self.size)
        return True

    cpdef Py_ssize_t write_to(self, int fd) except -1:
        cdef ssize_t written = c_write(fd, <char *>self.view.buf + HEAD, <size_t>self.size)
        if written < 0:
            PyErr_SetFromErrno(OSError)
        return written

    cpdef clear(self, int64_t segment, int64_t base):
        self.size = 0
        gw_store_release(<gw_word *>self.view.buf + LENGTH, 0)  # first: whoever dies here has nothing in it
        gw_store_release(<gw_word *>self.view.buf + SEGMENT, segment)
        gw_store_release(<gw_word *>self.view.buf + BASE, base)
        gw_fence_release()  # before anything is put over what was there
