# Compiled, it is a C function.

cpdef bytes whole_in(dict message, long long declared)
