"""write(2) without letting go of the interpreter lock.

`os.write` releases the lock, and on the one core of a worker the server's other thread takes it: two context switches, which
cost several times what the write into the page cache does. Use it only where a write cannot wait long: a file, a small
record.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno


cdef extern from "unistd.h":
    ssize_t c_write "write"(int fd, const void *data, size_t size) nogil


cpdef Py_ssize_t append(int fd, bytes data) except -1:
    if data is None:
        raise TypeError("a file takes bytes")
    cdef ssize_t written = c_write(fd, PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
    if written < 0:
        PyErr_SetFromErrno(OSError)
    return written
