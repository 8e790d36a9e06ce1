from gw._fast.jsonpeek cimport Peek


cpdef Peek peek_and_weigh(bytes body)
