# Compiled, tokens are C integers: bodies are bounded, so no product of them comes near 2^63. Money stays of any size.

cimport cython

from gw._fast.usage cimport Found as Found_
from gw._fast.weigh cimport Weight as Weight_
from gw.admit.card cimport Card, Estimate, Habit, Seen, Trail, most_tokens, plain_estimate


cdef long long RATIO_SHIFT, CACHED_WHOLE, CACHED_NEWS, MINUTE_US, BLOCK_TOKENS, RATIO_BYTES_MIN


cdef class Estimator:
    cdef public object _seen
    cdef public dict _ratios, _habits, _cards

    @cython.locals(card=Card)
    cdef Card _card(self, tariff, str model)

    @cython.locals(
        text=cython.longlong, tools=cython.longlong, cap=cython.longlong, ttl=cython.longlong, geo=cython.longlong,
        window=cython.longlong, bytes_per_token=cython.longlong, rest=cython.longlong, ratio=cython.longlong,
        prompt=cython.longlong, warm=cython.longlong, output=cython.longlong, habit=Habit, known=Habit, seen=Seen,
        card=Card, found=Estimate,
    )
    cpdef Estimate estimate(
        self, tariff, Weight_ weight, str model, str key, str session, str agent, long long at_us, Trail trail=*
    )
    @cython.locals(seen=Seen, prompt=cython.longlong, cached=cython.longlong, reads=cython.longlong, whole=cython.longlong, habit=Habit)
    cpdef learn(self, Estimate estimate, Weight_ weight, usage, str model, str key, str session, str agent, long long at_us)
    @cython.locals(seen=Seen, cached=cython.longlong, reads=cython.longlong, whole=cython.longlong, habit=Habit)
    cpdef learn_found(
        self, Estimate estimate, Weight_ weight, Found_ found, str model, str key, str session, str agent, long long at_us
    )
    @cython.locals(seen=Seen)
    cdef Seen _recall(self, Estimate estimate, Weight_ weight, str key, str model, str session, str agent)
    @cython.locals(rest=cython.longlong, known=cython.bint, plain=cython.bint)
    cdef _learn_prompt(
        self, Weight_ weight, Seen seen, long long prompt, long long cached, str model, str key, str session, str agent,
        long long at_us,
    )
    cdef _learn_habit(
        self, Habit habit, str key, str model, long long prompt, long long reads, long long output, bint geo_us, bint unknown
    )
    @cython.locals(habits=dict, habit=Habit)
    cdef Habit _habit(self, str key, str model)
    cdef _learn_ratio(self, str model, long long sample)
    cdef _forget_some(self, long long at_us)


@cython.locals(
    most=cython.longlong, cap=cython.longlong, ttl=cython.longlong, window=cython.longlong, image_max=cython.longlong,
    page_max=cython.longlong, prompt=cython.longlong, output=cython.longlong,
)
cpdef most_pusd(tariff, Weight_ weight, scale)
@cython.locals(prompt=cython.longlong, cached=cython.longlong, more=cython.longlong, kept=cython.bint)
cdef tuple _grown(Seen seen, long long text, long long rest, long long ratio, long long at_us, bint continued)
@cython.locals(rest=cython.longlong)
cdef long long _rest_tokens(Weight_ weight) except -1
cdef long long _media_tokens(Weight_ weight) except -1
cdef tuple _last_prompt(usage)
@cython.locals(small=cython.longlong, per=cython.longlong, whole=cython.longlong)
cpdef nusd(pusd)
cdef _bounded(pusd)
