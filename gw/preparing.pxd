# Compiled, the parts of the route are C structs.

from gw._fast.seek cimport holds
from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.exchange cimport Outgoing
from gw.ways cimport Way

cpdef Outgoing as_it_came(Demand demand, Way way, bytes last=*)
