"""Rate limits over buckets in memory shared by all processes of a host. The C and its rules: bucket.h.

The memory: `capacity` buckets of 64 bytes; zeroed when made, aligned to 64 bytes. Times are of one monotonic clock, in ns.
"""

from math import gcd

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint64_t, uintptr_t


LIMITS_MAX = GW_LIMITS_MAX
UNITS_MAX = GW_UNITS_MAX
NEVER = GW_NEVER
BUCKET_BYTES = sizeof(gw_record)


def buckets_bytes(capacity):
    if capacity < 2 or capacity > 2**24 or capacity & (capacity - 1):
        raise ValueError(f"the capacity must be a power of two from 2 to 2**24, not {capacity}")
    return capacity * BUCKET_BYTES


cdef int64_t units_of(int64_t units) except -1:
    if units < 0 or units > GW_UNITS_MAX:
        raise ValueError(f"units must be 0 .. {UNITS_MAX}, not {units}")
    return units


cdef class Buckets:
    def __cinit__(self, memory not None, int capacity):
        cdef Py_ssize_t needed = buckets_bytes(capacity)
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE | PyBUF_SIMPLE)
        if self.view.len < needed:
            raise ValueError(f"the buckets' memory must have {needed} bytes, not {self.view.len}")
        if <uintptr_t>self.view.buf % 64:
            raise ValueError("the buckets' memory must be aligned to 64 bytes")
        gw_table_init(&self.table, self.view.buf, capacity.bit_length() - 1)
        self.capacity = capacity

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def find(self, uint64_t key):
        cdef uint64_t tag
        if key == 0:
            raise ValueError("a key is not 0")
        return gw_table_find(&self.table, <int64_t>key, &tag)

    def lookup(self, uint64_t key):
        cdef uint64_t tag
        return gw_table_lookup(&self.table, <int64_t>key, &tag)

    def arrival(self, int64_t index):
        if index < 0 or index >= self.capacity:
            raise IndexError(f"no bucket {index}")
        cdef gw_seen seen = gw_pair_acquire(&self.table.records[index].words[0])
        return seen.value, seen.tag


cdef class Limit:
    def __cinit__(self, Buckets buckets not None, uint64_t key, units, per_ns, int64_t burst):
        if not (0 < units <= UNITS_MAX and 0 < per_ns <= 2**62 and 0 < burst <= UNITS_MAX):
            raise ValueError(f"not a rate limit: {units} units in {per_ns} ns, burst {burst}")
        self.buckets = buckets
        self.index = buckets.find(key)
        if self.index < 0:
            raise OverflowError("all buckets within reach of the key are taken")
        shared = gcd(units, per_ns)
        gw_limit_init(
            &self.limit, &buckets.table.records[self.index].words[0], per_ns // shared, units // shared, burst
        )

    def take(self, int64_t units, int64_t now_ns):
        return gw_bucket_take(&self.limit, units_of(units), now_ns)

    cpdef int64_t check(self, int64_t now_ns) noexcept:
        return gw_bucket_check(&self.limit, 0, now_ns)

    cpdef debt(self, int64_t units, int64_t now_ns):
        gw_bucket_debt(&self.limit, units_of(units), now_ns)

    def give(self, int64_t units):
        gw_bucket_give(&self.limit, units_of(units))


cdef class Limits:
    def __cinit__(self, limits not None):
        self.limits = tuple(limits)
        if len(self.limits) > GW_LIMITS_MAX:
            raise ValueError(f"at most {GW_LIMITS_MAX} limits, not {len(self.limits)}")
        if len({limit.index for limit in self.limits}) < len(self.limits):
            raise ValueError("limits taken together have a bucket each")
        for limit in self.limits:
            self.items[self.size] = (<Limit?>limit).limit
            self.size += 1

    def __len__(self):
        return self.size

    cpdef take_all(self, int64_t units, int64_t now_ns):
        cdef int64_t wait_ns = 0
        cdef int refusing = gw_take_all(self.items, self.size, units_of(units), now_ns, &wait_ns)
        return None if refusing < 0 else (refusing, wait_ns)

    def give_all(self, int64_t units):
        cdef int at
        units_of(units)
        for at in range(self.size):
            gw_bucket_give(&self.items[at], units)
