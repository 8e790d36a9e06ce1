# Compiled, a JournalWriter is a C struct.

cimport cython

from gw._fast.append cimport append as append_to
from gw._fast.frame cimport Frame as Frame_


cdef class JournalWriter:
    cdef public bint healthy, _sync_each
    cdef public long long lost_count, _size, _segment_bytes_max, _recover_at_ns
    cdef public int _fd, _seq
    cdef public str boot, _worker, _fsync
    cdef public Frame_ frame
    cdef public object _directory, _seed, _owed, _retired, _synced, _stop, _syncer

    cpdef append_frame(self)
    cpdef open_frame(self)
    @cython.locals(size=cython.Py_ssize_t, written=cython.Py_ssize_t)
    cpdef _write(self, bytes frame)
