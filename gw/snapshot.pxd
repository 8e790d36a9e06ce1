# Compiled, what a worker serves with is a C struct.

from gw.admit.auth cimport Authenticator
from gw.domain.budget_book cimport BudgetBook
from gw.pricing.book cimport PriceBook
from gw.wire.headers cimport Device


cdef class Snapshot:
    cdef public object published, file_config, config, router
    cdef public long long version, published_us, body_bytes_max
    cdef public tuple source, deployments
    cdef public Device device
    cdef public bytes prices_key, pepper
    cdef public PriceBook book
    cdef public BudgetBook budget_book
    cdef public Authenticator authenticator
    cdef public bint routed, governed, key_needs_price, passthrough_needs_price, propagates
