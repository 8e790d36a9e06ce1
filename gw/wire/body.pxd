# Compiled, it is a C function.

cpdef bytes whole_in(message, long long declared)
