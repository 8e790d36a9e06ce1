# Compiled, tokens are C integers: bodies are bounded, so no product of them comes near 2^63. Money stays of any size.

cimport cython


cdef class Estimator:
    cdef public object _seen
    cdef public dict _ratios, _habits

    @cython.locals(
        text=cython.longlong, images=cython.longlong, documents=cython.longlong, blocks=cython.longlong, tools=cython.longlong,
        defined=cython.longlong, servers=cython.longlong, searches=cython.longlong, advisors=cython.longlong,
        references=cython.longlong, cap=cython.longlong, ttl=cython.longlong, fast=cython.longlong, geo=cython.longlong,
        window=cython.longlong, bytes_per_token=cython.longlong, rest=cython.longlong, mean=cython.longlong,
        cached=cython.longlong, ratio=cython.longlong, prompt=cython.longlong, warm=cython.longlong, output=cython.longlong,
        geo_us=cython.bint,
    )
    cpdef estimate(self, tariff, weight, str model, str key, str session, str agent, long long at_us)
    cpdef learn(self, weight, usage, str model, str key, str session, str agent, long long at_us)
    @cython.locals(output=cython.longlong, cached=cython.longlong, prompt=cython.longlong, reads=cython.longlong)
    cdef _learn_habit(self, str key, str model, usage, bint unknown)
    cdef _learn_ratio(self, str model, long long sample)
    cdef _forget_some(self, long long at_us)


@cython.locals(
    most=cython.longlong, images=cython.longlong, documents=cython.longlong, blocks=cython.longlong, tools=cython.longlong,
    defined=cython.longlong, servers=cython.longlong, fallbacks=cython.longlong, compaction=cython.longlong,
    references=cython.longlong, cap=cython.longlong, ttl=cython.longlong, fast=cython.longlong, geo=cython.longlong,
    window=cython.longlong, image_max=cython.longlong, page_max=cython.longlong, prompt=cython.longlong,
    output=cython.longlong,
)
cpdef most_pusd(tariff, weight, scale)
@cython.locals(
    prompt=cython.longlong, cached=cython.longlong, seen_text=cython.longlong, seen_rest=cython.longlong,
    warm_until_us=cython.longlong, more=cython.longlong, kept=cython.bint,
)
cdef tuple _grown(seen, long long text, long long rest, long long ratio, long long at_us, bint continued)
cdef long long _rest_tokens(weight) except -1
cdef tuple _last_prompt(usage)
