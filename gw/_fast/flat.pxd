from libc.stdint cimport int64_t

cpdef list flattened(list rows, int64_t before)
