from libc.stdint cimport int64_t, uint64_t


cdef extern from "bucket.h" nogil:
    enum: GW_LIMITS_MAX, GW_MEMBER
    int64_t GW_UNITS_MAX, GW_NEVER

    ctypedef struct gw_pair:
        pass

    ctypedef struct gw_seen:
        int64_t value
        uint64_t tag

    ctypedef struct gw_record:
        gw_pair name
        gw_pair words[3]

    ctypedef struct gw_table:
        gw_record *records

    ctypedef struct gw_limit:
        gw_pair *arrival
        uint64_t nanos, parts
        int64_t burst

    gw_seen gw_pair_acquire(const gw_pair *pair) noexcept
    void gw_table_init(gw_table *table, void *memory, unsigned capacity_log2) noexcept
    int64_t gw_table_lookup(const gw_table *table, int64_t key, uint64_t *tag) noexcept
    int64_t gw_table_find(const gw_table *table, int64_t key, uint64_t *tag) noexcept
    void gw_limit_init(gw_limit *limit, gw_pair *arrival, uint64_t nanos, uint64_t parts, int64_t burst) noexcept
    int64_t gw_bucket_take(const gw_limit *limit, int64_t units, int64_t now_ns) noexcept
    int64_t gw_bucket_check(const gw_limit *limit, int64_t units, int64_t now_ns) noexcept
    void gw_bucket_debt(const gw_limit *limit, int64_t units, int64_t now_ns) noexcept
    void gw_bucket_give(const gw_limit *limit, int64_t units) noexcept
    int gw_take_all(const gw_limit *limits, int size, int64_t units, int64_t now_ns, int64_t *wait_ns) noexcept


cdef class Buckets:
    cdef gw_table table
    cdef Py_buffer view  # held as long as the buckets live
    cdef readonly int capacity


cdef class Limit:
    cdef gw_limit limit
    cdef readonly Buckets buckets
    cdef readonly int index

    cpdef int64_t check(self, int64_t now_ns) noexcept
    cpdef debt(self, int64_t units, int64_t now_ns)


cdef class Limits:
    cdef gw_limit items[GW_LIMITS_MAX]
    cdef int size
    cdef readonly tuple limits

    cpdef take_all(self, int64_t units, int64_t now_ns)
