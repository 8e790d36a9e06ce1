"""Where a call's own time goes: a stopwatch that is stopped while the call waits. It asks the kernel's monotonic clock itself, since
it is asked ten times a call: 30 ns each, and 100 ns through Python."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec


cdef inline int64_t now_ns() noexcept:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000000000 + time.tv_nsec


cdef inline int observe(Counters counters, int at, tuple bounds_ns, int64_t ns) except -1:
    cdef int bucket = 0
    cdef int64_t bound
    for bound in bounds_ns:
        if ns <= bound:
            break
        bucket += 1
    counters.add(at + bucket, 1)
    counters.add(at + len(bounds_ns) + 1, ns)
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
        cdef int size = <int>len(bounds_ns) + 2
        for part in range(PARTS_MAX):
            whole += self.ns[part]
            if part < governed:
                governing += self.ns[part]
            counters.add(at + 2 * size + part, self.ns[part])
        observe(counters, at, bounds_ns, whole)
        observe(counters, at + size, bounds_ns, governing)
