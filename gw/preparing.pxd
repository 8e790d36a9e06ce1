# Compiled, the parts of the route are C structs.

from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.ways cimport Way

cpdef as_it_came(Demand demand, Way way)
