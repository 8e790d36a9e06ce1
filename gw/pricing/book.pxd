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


cdef _plain(Plan plan, reading)
