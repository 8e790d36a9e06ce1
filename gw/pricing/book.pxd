# Compiled, plans and terms are C structs.

cimport cython

from gw._fast.usage cimport Found as Found_


cdef int PLAIN_BITS


cdef class Plan:
    cdef public object listed, billed, tariff, num, den, search_pusd
    cdef public tuple billed_rates, list_rates, flags
    cdef public str version
    cdef public long long from_us, until_us
    cdef public long long input_rate, output_rate, read_rate, write_5m_rate, write_1h_rate, search_rate
    cdef public bint flat, same, stepped


cdef class Bill:
    cdef public long long billed_pusd, input_pusd, output_pusd, cache_read_pusd, cache_write_5m_pusd, cache_write_1h_pusd
    cdef public long long tools_pusd
    cdef public str version
    cdef public tuple flags


cdef class Terms:
    cdef public tuple where
    cdef public Plan plan


cdef class PriceBook:
    cdef public str label, unknown
    cdef public object _cards
    cdef public tuple _overrides
    cdef public frozenset _keys, _teams
    cdef public bint _by_upstream
    cdef public dict _plans
    cdef public object _dearest
    cdef public Plan _fallback

    cpdef Terms terms(self, str provider, str upstream, str region, str model, str key, str team, long long at_us)
    cpdef tariff(self, Terms terms)
    @cython.locals(
        a=cython.longlong, b=cython.longlong, c=cython.longlong, d=cython.longlong, e=cython.longlong, searches=cython.longlong,
        plan=Plan, bill=Bill,
    )
    cpdef Bill bill(self, Terms terms, Found_ found)
    cdef Plan _plan(self, tuple where, long long at_us)


cdef _plain(Plan plan, reading)
