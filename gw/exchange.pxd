# Compiled, the parts of the route are C structs.

cimport cython

from gw.clock cimport wall_us
from gw.governor cimport Governor
from gw.settle cimport Call
from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.ways cimport Ways
from gw.worker cimport Worker
from gw.answer cimport tell
from gw.beginning cimport is_answer
from gw.upstream.response cimport Response
from gw._fast.heads cimport Answer as Answer_
from gw._fast.heads cimport to_client


cdef class Outgoing:
    cdef public bytes method, path, head, body
    cdef public object speech, again
    cdef public bint early


@cython.locals(demand=Demand)
cdef _heard(Worker worker, Call call, Response response)
