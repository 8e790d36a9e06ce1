# Compiled, a Decision is a C struct.


cdef class Decision:
    cdef readonly tuple candidates, tags, rules, shadowed
    cdef readonly str reason, rerouted_from, by, effort
    cdef readonly long long max_tokens
    cdef readonly object wait_s
    cdef readonly bint larger_on_overflow
