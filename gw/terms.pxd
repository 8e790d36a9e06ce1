# Compiled, it is a C function.

from gw.deployment cimport Deployment
from gw.settle cimport Call

cpdef price(Call call, str model, Deployment deployment)
