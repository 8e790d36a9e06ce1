from libc.stdint cimport int64_t

cdef enum:
    FLAGS = 8
    TOKENS = 6
    INSTANTS = 3
    LATENCIES = 2 * INSTANTS
    TOOLS = 3
    AMOUNTS = 9
    FIRST_AMOUNT = FLAGS + TOKENS + LATENCIES + TOOLS
    LANES = FIRST_AMOUNT + 2 * AMOUNTS
    OF_RUN = FLAGS + TOKENS + 1  # lanes; of amounts it has the first two
    DIMENSIONS_MAX = 32
    ACCOUNT_MAX = 8


cdef class Sums:
    cdef int64_t lanes[LANES]

    cpdef add(self, Sums other)
    cpdef Sums copy(self)
    cpdef tuple values(self)


cdef class Run(Sums):
    cdef readonly tuple session, path
    cdef readonly str agent, parent
    cdef readonly int64_t first_us, last_us

    cdef int extend(self, const int64_t *lanes, int64_t first_us, int64_t last_us) except -1
    cpdef tuple totals(self, int64_t most)


cdef class Layout:
    cdef Py_ssize_t width, tokens, amounts
    cdef Py_ssize_t endpoint, outcome, status, source, price, attempts, attempt_of, session, agent, parent, model, started, ended
    cdef Py_ssize_t instants[INSTANTS]
    cdef Py_ssize_t dimensions[DIMENSIONS_MAX]
    cdef Py_ssize_t account[ACCOUNT_MAX]
    cdef Py_ssize_t dimension_count, account_count
    cdef int64_t long_context, side_prompt, count_max, hour_us
    cdef object errors, leaving  # sets of outcomes
    cdef str short, long, main, subagent, background, other, small_model

    cdef int checked(self, tuple row) except -1
    cpdef tuple path_of(self, tuple row)
    cdef str kind_of(self, tuple row, int64_t fresh, bint cached)
    cpdef tuple session_of(self, tuple row)
    cdef bint is_request(self, tuple row, str outcome) except -1
    cdef int count(self, tuple row, int64_t *lanes) except -1
    cdef int differ(self, object amounts, int64_t *lanes) except -1
    cpdef Sums sums_of(self, tuple row)
    cpdef Sums adjusting(self, object amounts)


cdef class Place:
    """A path, with what it has of each hour and of each agent of a session."""

    cdef tuple path
    cdef int64_t hour
    cdef Sums sums  # of that hour
    cdef dict hours, runs

    cdef Sums sums_at(self, int64_t hour)


cdef class Gathered:
    cdef Layout layout
    cdef dict places  # by path

    cpdef add(self, tuple row)
    cpdef add_all(self, rows)
    cpdef adjust(self, tuple row, amounts)
    cdef Place place_of(self, tuple path)
    cdef int put(self, tuple row, const int64_t *lanes) except -1
