# Compiled, a Call is a C struct: its fields cost a load instead of a lookup. Uncompiled, settle.py stands alone.

cimport cython

from gw.clock cimport wall_us
from gw._fast.frame cimport Frame as Frame_
from gw._fast.heads cimport Told as Told_
from gw._fast.heads cimport shown
from gw._fast.jsonpeek cimport Peek as Peek_
from gw._fast.laps cimport Laps as Laps_
from gw._fast.usage cimport Found as Found_
from gw.admit.hold cimport Hold
from gw.domain.account cimport Account
from gw.domain.settled cimport Settled
from gw.known cimport Known
from gw.pricing.book cimport Bill, Terms
from gw.deployment cimport Deployment
from gw.snapshot cimport Snapshot


cdef class Call:
    cdef public str call_id, endpoint, worker, device, session_id, upstream_request_id, budget, shadowed
    cdef public str dialect, sent_model, served_model, route, attempt_of
    cdef public dict values
    cdef public Told_ told
    cdef public Known known
    cdef public object demand, tap, reading, receive, watch, weight, charge_pusd
    cdef public Account account
    cdef public Deployment deployment
    cdef public Hold hold
    cdef public Laps_ laps
    cdef public Peek_ peek
    cdef public Found_ found
    cdef public Snapshot snapshot
    cdef public Terms terms
    cdef public tuple who
    cdef public list attempts
    cdef public bytes who_columns
    cdef public Settled record
    cdef public long long started_us, first_byte_us, first_token_us, body_bytes, response_bytes, charged_us
    cdef public int slot, second_slot, status, upstream_status, retries
    cdef public bint own_credential, sent, billed, client_gone, stopping, ticked, metered

    @cython.locals(found=Found_, last=Found_, told=cython.longlong)
    cpdef Found_ last_word(self)


cpdef opened(Call call, Frame_ frame)
@cython.locals(found=Found_, bill=Bill)
cpdef Settled settled(Call call, Frame_ frame, str outcome, str error)
cdef Settled plain(Call call, Frame_ frame, Found_ found, Bill bill, str outcome, str error)
@cython.locals(done=Settled)
cdef Settled _begun(Call call, Frame_ frame, str outcome, str error, str source)
cdef _ended(Call call, Frame_ frame, Settled done)
cpdef Settled unpriced(Call call, Frame_ frame, str outcome, str error)
cpdef Settled closed(Call call, Frame_ frame, reading, str source, priced, str outcome, str error)
@cython.locals(account=Account, told=Told_, known=Known, model=str, who=tuple, version=cython.longlong)
cpdef tuple columns_of(Call call)
cpdef tuple way_of(Call call)
@cython.locals(start=cython.Py_ssize_t)
cdef _who(Call call, Frame_ frame)
cdef _usage(Settled done, Frame_ frame, usage)
cdef _price(Settled done, Frame_ frame, priced)
