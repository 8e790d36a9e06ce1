# Compiled, it is a C function.

from gw.domain.account cimport Account

cpdef must_be_allowed(Account account, bytes body)
