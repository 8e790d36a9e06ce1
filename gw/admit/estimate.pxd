# Compiled, tokens are C integers: bodies are bounded, so no product of them comes near 2^63. Money stays of any size.

cimport cython

from gw._fast.weigh cimport Weight as Weight_


cdef class Seen:
    cdef public long long prompt, cached, text, rest, warm_until_us, at_us, moved_us


cdef class Habit:
    cdef public long long output, cached
    cdef public bint geo_us


cdef class Estimator:
    cdef public object _seen
    cdef public dict _ratios, _habits

    @cython.locals(
        text=cython.longlong, tools=cython.longlong, cap=cython.longlong, ttl=cython.longlong, geo=cython.longlong,
        window=cython.longlong, bytes_per_token=cython.longlong, rest=cython.longlong, ratio=cython.longlong,
        prompt=cython.longlong, warm=cython.longlong, output=cython.longlong, habit=Habit, seen=Seen,
    )
    cpdef estimate(self, tariff, Weight_ weight, str model, str key, str session, str agent, long long at_us)
    @cython.locals(seen=Seen, prompt=cython.longlong, cached=cython.longlong, rest=cython.longlong, known=cython.bint)
    cpdef learn(self, Weight_ weight, usage, str model, str key, str session, str agent, long long at_us)
    @cython.locals(habit=Habit, output=cython.longlong, prompt=cython.longlong, reads=cython.longlong)
    cdef _learn_habit(self, str key, str model, usage, bint unknown)
    cdef _learn_ratio(self, str model, long long sample)
    cdef _forget_some(self, long long at_us)


@cython.locals(
    most=cython.longlong, images=cython.longlong, documents=cython.longlong, tools=cython.longlong, cap=cython.longlong,
    ttl=cython.longlong, window=cython.longlong, image_max=cython.longlong, page_max=cython.longlong, prompt=cython.longlong,
    output=cython.longlong,
)
cpdef most_pusd(tariff, Weight_ weight, scale)
@cython.locals(prompt=cython.longlong, cached=cython.longlong, more=cython.longlong, kept=cython.bint)
cdef tuple _grown(Seen seen, long long text, long long rest, long long ratio, long long at_us, bint continued)
@cython.locals(rest=cython.longlong)
cdef long long _rest_tokens(Weight_ weight) except -1
cdef long long _media_tokens(Weight_ weight) except -1
cdef tuple _last_prompt(usage)
@cython.locals(small=cython.longlong)
cpdef nusd(pusd)
