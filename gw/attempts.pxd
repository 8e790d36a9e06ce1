# Compiled, the parts of an attempt are C structs.

cimport cython

from gw.answer cimport tell
from gw.beside cimport must_be_allowed
from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.exchange cimport Outgoing
from gw.governor cimport Governor
from gw.preparing cimport as_it_came
from gw.routing.decision cimport Decision
from gw.routing.health cimport Course, Turn
from gw.routing.retry cimport Purse
from gw.settle cimport Call, columns_of, way_of
from gw.terms cimport price
from gw.ways cimport Way, Ways, verdict_of
from gw.worker cimport Worker

@cython.locals(now_ns=cython.longlong)
cdef Turn _begin(Ways ways, Call call, Demand demand, Way way, int tried)
cdef _again(Ways ways, Decision decision, Way way, Py_ssize_t left, int tried, int at_place)
cdef _over(Ways ways, Call call, Demand demand, Turn turn, missed, bint done)
cdef _admit(Worker worker, Call call, Demand demand, Way way)
@cython.locals(own=cython.bint, key=bytes, last=bytes)
cdef Outgoing _outgoing(Call call, Demand demand, Way way, again)
cdef bint _leave(Worker worker, Call call, Way way, missed, bint stays) except? -1
