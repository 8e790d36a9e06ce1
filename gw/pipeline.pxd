# Compiled, the parts of the route are C structs.

from gw.settle cimport Call
from gw.deployment cimport Deployment
from gw.snapshot cimport Snapshot
from gw.worker cimport Worker
from gw.governor cimport Governor
from gw._fast.heads cimport Sent as Sent_

cpdef str _peek(Call call, bytes plain)
cpdef bytes _head(Sent_ sent, Deployment deployment, bint own_credential)
cpdef tuple _outcome_of_cancelled(Call call)
