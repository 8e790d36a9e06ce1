"""Rows as the values of one statement. A row has eighty values, and Python asks each of them where it goes."""

from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t


cdef inline int put(list to, Py_ssize_t place, object value) except -1:
    """Into a list that is new."""
    Py_INCREF(value)
    PyList_SET_ITEM(to, place, value)
    return 0


cpdef list flattened(list rows, int64_t before):
    cdef Py_ssize_t i, size = 0, place = 0
    cdef tuple row
    if rows is None:
        raise TypeError("a list of rows is needed")
    for row in rows:
        if row is None:
            raise TypeError("a row is a tuple")
        size += PyTuple_GET_SIZE(row) + 1
    # Nothing below may fail but for want of memory.
    cdef list found = PyList_New(size)
    for row in rows:
        for i in range(PyTuple_GET_SIZE(row)):
            put(found, place + i, <object>PyTuple_GET_ITEM(row, i))
        place += PyTuple_GET_SIZE(row) + 1
        before += 1
        put(found, place - 1, before)
    return found
