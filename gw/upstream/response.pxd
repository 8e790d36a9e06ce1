# Compiled, a Response is a C struct.


cdef class Response:
    cdef public object connection, error, waiter, taker
    cdef public list chunks, headers
    cdef public int status, retries
    cdef public long long buffered
    cdef public double silence_at, silence_s
    cdef public bint complete, paused, reused, silent
    cdef object _loop

    cpdef read_nowait(self)
    cpdef wake(self)
    cpdef offer(self)
    cdef bytes _take(self)
