# Compiled, the parts of an attempt are C structs.

from gw.answer cimport tell
from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.governor cimport Governor
from gw.preparing cimport as_it_came
from gw.routing.health cimport Turn
from gw.routing.retry cimport Purse
from gw.settle cimport Call, columns_of, way_of
from gw.ways cimport Way, Ways, verdict_of
from gw.worker cimport Worker

cdef _admit(Worker worker, Call call, Demand demand, Way way)
cdef _outgoing(Call call, Demand demand, Way way, again)
cdef bint _leave(Worker worker, Call call, Way way, missed, bint stays) except? -1
