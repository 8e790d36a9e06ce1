# Compiled, a JournalWriter is a C struct.

cimport cython

from gw._fast.append cimport WriteBuffer as WriteBuffer_, append as append_to
from gw._fast.frame cimport Frame as Frame_


cdef class JournalWriter:
    cdef public bint healthy, _sync_each
    cdef public long long lost_count, _size, _segment_bytes_max, _recover_at_ns
    cdef public int _fd, _seq
    cdef public str boot, _worker, _fsync
    cdef public Frame_ frame
    cdef public WriteBuffer_ _buffer
    cdef public object _directory, _seed, _owed, _retired, _synced, _stop, _syncer, _on_waiting

    cpdef append_frame(self)
    cpdef open_frame(self)
    cpdef drain(self)
    @cython.locals(size=cython.Py_ssize_t, waiting=cython.Py_ssize_t, buffer=WriteBuffer_, first=cython.bint)
    cpdef _write(self, bytes frame)
