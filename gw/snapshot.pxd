# Compiled, what a worker serves with is a C struct.

from gw.admit.auth cimport Authenticator
from gw.pricing.book cimport PriceBook


cdef class Deployment:
    cdef public str name, provider, region, secret_name
    cdef public bytes credential, extra
    cdef public tuple models
    cdef public object target


cdef class Snapshot:
    cdef public object published, file_config, config, device, budget_book
    cdef public long long version, published_us, body_bytes_max
    cdef public tuple source, deployments
    cdef public bytes prices_key, pepper
    cdef public PriceBook book
    cdef public Authenticator authenticator
    cdef public bint governed, key_needs_price, passthrough_needs_price, propagates
