# Compiled, the parts of the route are C structs.

from gw.governor cimport Governor
from gw.settle cimport Call
from gw.demand cimport Demand
from gw.deployment cimport Deployment
from gw.worker cimport Worker
from gw._fast.heads cimport Answer as Answer_
from gw._fast.usage cimport Found as Found_
from gw._fast.usage cimport found_in
from gw._fast.heads cimport amount_text

cimport cython

@cython.locals(demand=Demand)
cpdef tell(Worker worker, Call call, int status, Answer_ answer, bytes body, speech=*)
@cython.locals(found=Found_)
cdef tuple _judge(Call call, int status, Answer_ answer, bytes body)
cpdef bytes decoded(bytes body, bytes encoding)
cdef bytes _cost_text(pusd)
