# Compiled, tokens and money of almost every call are C integers.

cimport cython

from gw._fast.weigh cimport Weight as Weight_


cdef long long BLOCK_TOKENS_MAX, TOOL_TOKENS_MAX, TOOLS_TOKENS_MAX, DEFINED_TOOL_TOKENS_MAX, PAGES_MAX, OUTPUT_SHIFT


cdef class Seen:
    cdef public long long prompt, cached, text, rest, warm_until_us, at_us, moved_us
    cdef public bint forgotten


cdef class Habit:
    cdef public long long output, cached
    cdef public bint geo_us, forgotten

    cpdef long long expected(self) except -1
    cpdef learn(self, long long output)


cdef class Estimate:
    cdef public Seen seen
    cdef public Habit habit
    cdef public long long typical_nusd, worst_nusd, prompt_tokens, output_tokens, slice_nusd, bytes_per_token


cdef class Trail:
    cdef public object of
    cdef public Card card
    cdef public Habit habit
    cdef public Seen seen
    cdef public long long tools


cdef class Card:
    cdef public object tariff, scale
    cdef public str model
    cdef public long long window, image_max, page_max, bytes_per_token, geo_num, geo_den
    cdef public long long usual_input, usual_output, usual_read, usual_write_5m, usual_write_1h
    cdef public long long most_input, most_output, most_write_5m, most_write_1h
    cdef public bint few


@cython.locals(
    cap=cython.longlong, ttl=cython.longlong, geo=cython.longlong, num=cython.longlong, den=cython.longlong,
    most=cython.longlong, most_output=cython.longlong, rate=cython.longlong, pusd=cython.longlong,
    worst_pusd=cython.longlong, slice_pusd=cython.longlong, per=cython.longlong,
    found=Estimate,
)
cpdef Estimate plain_estimate(Card card, Weight_ weight, long long prompt, long long warm, long long output, bint geo_us)
@cython.locals(most=cython.longlong)
cpdef long long most_tokens(Weight_ weight, long long image_max, long long page_max) except -1
