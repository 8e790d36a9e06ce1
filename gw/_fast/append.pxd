cpdef Py_ssize_t append(int fd, bytes data) except -1
