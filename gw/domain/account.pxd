# Compiled, an Account is a C struct: a call asks it some thirty times.


cdef class Account:
    cdef readonly str key_id, key_name, team, customer, credential, problem
    cdef readonly tuple models, upstreams
    cdef readonly object max_cost_nusd, max_tokens
    cdef readonly long long expires_us
    cdef readonly bint active, any_model, any_upstream, stores_content, passthrough, bounded
