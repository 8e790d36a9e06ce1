"""Where a call's own time goes: a stopwatch that is stopped while the call waits. It asks the kernel's monotonic clock itself, since
it is asked ten times a call: 30 ns each, and 100 ns through Python."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec


cdef inline int64_t now_ns() noexcept:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000000000 + time.tv_nsec


cdef enum:
    BOUNDS_MAX = 64

cdef tuple known = ()
cdef int64_t known_ns[BOUNDS_MAX]  # the same in C: there are but one histogram's bounds in a process


cdef int know(tuple bounds_ns) except -1:
    global known
    if len(bounds_ns) > BOUNDS_MAX:
        raise ValueError(f"more than {BOUNDS_MAX} bounds")
    known = ()
    for i in range(len(bounds_ns)):
        known_ns[i] = bounds_ns[i]
    known = bounds_ns
    return 0


cdef inline int observe(Counters counters, int at, int64_t ns) noexcept:
    """`record` has seen to it that they are there."""
    cdef int bucket = 0, size = <int>len(known)
    while bucket < size and ns > known_ns[bucket]:
        bucket += 1
    (<int64_t *>counters.view.buf)[at + bucket] += 1
    (<int64_t *>counters.view.buf)[at + size + 1] += ns
    return 0


cdef class Laps:
    def __cinit__(self):
        self.since_ns = now_ns()

    cpdef lap(self, int part):
        cdef int64_t now = now_ns()
        if part < 0 or part >= PARTS_MAX:
            raise IndexError(f"there is no part {part}")
        self.ns[part] += now - self.since_ns
        self.since_ns = now

    cpdef skip(self):
        self.since_ns = now_ns()

    def __getitem__(self, int part):
        if part < 0 or part >= PARTS_MAX:
            raise IndexError(f"there is no part {part}")
        return self.ns[part]

    cpdef record(self, Counters counters, int at, tuple bounds_ns, int governed):
        cdef int part
        cdef int64_t whole = 0, governing = 0
        if bounds_ns is not known:
            know(bounds_ns)
        cdef int size = <int>len(bounds_ns) + 2
        if at < 0 or at + 2 * size + PARTS_MAX > counters.count:
            raise IndexError(f"there are not so many counters from {at} on")
        for part in range(PARTS_MAX):
            whole += self.ns[part]
            if part < governed:
                governing += self.ns[part]
            (<int64_t *>counters.view.buf)[at + 2 * size + part] += self.ns[part]
        observe(counters, at, whole)
        observe(counters, at + size, governing)
