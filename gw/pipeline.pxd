# Compiled, the parts of the route are C structs.

from gw.pricing.book cimport Terms
from gw.known cimport Known
from gw.settle cimport Call, columns_of
from gw.deployment cimport Deployment
from gw.exchange cimport Outgoing
from gw.snapshot cimport Snapshot
from gw.worker cimport Worker
from gw.governor cimport Governor
from gw._fast.heads cimport Sent as Sent_
from gw._fast.heads cimport read_request
from gw._fast.jsonpeek cimport Peek as Peek_
from gw._fast.jsonpeek cimport peek
from gw._fast.peekweigh cimport peek_and_weigh
from gw.admit.auth cimport Authenticator, Caller
from gw.beside cimport must_be_allowed
from gw.providers.anthropic cimport request_path
from gw.routing.plan cimport plan
from gw.terms cimport price
from gw.wire.body cimport whole_in

cimport cython

@cython.locals(seen=Peek_)
cpdef str _peek(Call call, bytes plain)
@cython.locals(known=Known)
cdef bint _will_be_weighed(Call call) except -1
cpdef bytes _head(Sent_ sent, Deployment deployment, bint own_credential)
cpdef tuple _outcome_of_cancelled(Call call)
@cython.locals(known=Known, own=cython.bint, credential=bytes, head=bytes)
cdef bytes _head_of(Call call, Sent_ sent, Deployment deployment)
@cython.locals(known=Known, terms=Terms, at_us=cython.longlong)
cdef _admit(Worker worker, Call call, str model, bytes plain)
