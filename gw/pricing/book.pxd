# Compiled, plans and terms are C structs.

cdef class Plan:
    cdef public object listed, billed, tariff, num, den, search_pusd
    cdef public tuple billed_rates, list_rates, flags
    cdef public str version
    cdef public long long from_us, until_us
    cdef public bint same, stepped


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
    cdef Plan _plan(self, tuple where, long long at_us)


cdef _plain(Plan plan, reading)
