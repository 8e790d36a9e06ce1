# Compiled, the parts of the route are C structs.

from gw.settle cimport Call
from gw.snapshot cimport Deployment, Snapshot
from gw.worker cimport Worker
from gw.governor cimport Governor
from gw._fast.heads cimport Sent as Sent_

cpdef str _peek(Call call, bytes plain)
cpdef _price(Call call, str model, Deployment deployment)
cpdef bytes _head(Sent_ sent, Deployment deployment, bint own_credential)
cpdef str _outcome_of(str slug, Call call)
cpdef tuple _outcome_of_cancelled(Call call)
