# Compiled, it is a C function.

from gw.domain.account cimport Account

cpdef plan(Account account, str model, deployments)
