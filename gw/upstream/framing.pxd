# Compiled, it is a C function.

cpdef check_size(list headers, long long head_bytes)
