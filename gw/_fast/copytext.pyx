"""Rows as the text that Postgres copies in: columns apart by tabs, a row a line. A call has some eighty columns, and psycopg asks of
each how its kind is written, and escapes what it has written then."""

from cpython.bool cimport PyBool_Check
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLong, PyLong_Check
from cpython.ref cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_Check
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef enum:
    FIRST_BYTES = 65536  # of room
    DIGITS = 21  # of an integer at most, with its sign and what follows it


cdef struct Room:
    uint8_t *begin
    size_t used
    size_t size


cdef inline uint8_t *room_for(Room *room, size_t more) except NULL:
    """Where the next bytes go, of which there may be none. The room is the caller's to free, whatever happens."""
    cdef uint8_t *larger
    if room.size - room.used <= more:
        while room.size - room.used <= more:
            room.size = room.size * 2 if room.size else FIRST_BYTES
        larger = <uint8_t *>realloc(room.begin, room.size)
        if larger is NULL:
            raise MemoryError
        room.begin = larger
    return room.begin + room.used


cdef inline size_t put_integer(uint8_t *out, int64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef uint64_t rest = <uint64_t>value if value >= 0 else <uint64_t>0 - <uint64_t>value
    cdef size_t at = 20, sign = 0
    while True:
        at -= 1
        digits[at] = <uint8_t>(48 + rest % 10)
        rest = rest // 10
        if rest == 0:
            break
    if value < 0:
        out[0] = 45  # -
        sign = 1
    memcpy(out + sign, digits + at, 20 - at)
    return sign + 20 - at


cdef inline bint plain(const uint8_t *text, size_t size) noexcept nogil:
    """Nothing in it is escaped, nor NUL."""
    cdef size_t i
    cdef bint odd = False
    for i in range(size):
        odd |= text[i] <= 13 or text[i] == 92
    return not odd


cdef inline Py_ssize_t put_escaped(uint8_t *out, const uint8_t *text, size_t size) noexcept nogil:
    """-1: it holds NUL."""
    cdef size_t i
    cdef Py_ssize_t at = 0
    cdef uint8_t one
    for i in range(size):
        one = text[i]
        if one == 0:
            return -1
        if one == 92 or one == 9 or one == 10 or one == 13:
            out[at] = 92
            at += 1
            one = 92 if one == 92 else 116 if one == 9 else 110 if one == 10 else 114  # \\ \t \n \r
        out[at] = one
        at += 1
    return at


cdef inline int put_text(Room *room, object text) except -1:
    cdef Py_ssize_t size = 0, written
    cdef const uint8_t *utf8 = <const uint8_t *>PyUnicode_AsUTF8AndSize(text, &size)
    cdef uint8_t *out = room_for(room, 2 * <size_t>size)
    if plain(utf8, <size_t>size):
        memcpy(out, utf8, <size_t>size)
        written = size
    else:
        written = put_escaped(out, utf8, <size_t>size)
        if written < 0:
            raise ValueError("Postgres keeps no NUL in text")
    room.used += <size_t>written
    return 0


cdef inline int put(Room *room, object value) except -1:
    """A column, and the tab behind it."""
    if PyUnicode_Check(value):
        put_text(room, value)
    elif PyBool_Check(value):
        room_for(room, 1)[0] = 116 if value is True else 102  # t, f
        room.used += 1
    elif PyLong_Check(value):
        room.used += put_integer(room_for(room, DIGITS), PyLong_AsLongLong(value))
    else:
        raise TypeError(f"a column of {type(value).__name__}")
    room_for(room, 1)[0] = 9
    room.used += 1
    return 0


def copy_text(list rows not None, first=None):
    cdef Room room = Room(NULL, 0, 0)
    cdef Py_ssize_t number, column
    cdef bint numbered = first is not None
    cdef int64_t begin = PyLong_AsLongLong(first) if numbered else 0
    cdef PyObject *row
    try:
        for number in range(PyList_GET_SIZE(rows)):
            row = PyList_GET_ITEM(rows, number)
            if not isinstance(<object>row, tuple):
                raise TypeError("a row is a tuple")
            for column in range(PyTuple_GET_SIZE(<object>row)):
                put(&room, <object>PyTuple_GET_ITEM(<object>row, column))
            if numbered:
                room.used += put_integer(room_for(&room, DIGITS), begin + number)
            elif PyTuple_GET_SIZE(<object>row):
                room.used -= 1  # the last column's tab
            room_for(&room, 1)[0] = 10
            room.used += 1
        return PyBytes_FromStringAndSize(<const char *>room.begin, <Py_ssize_t>room.used)
    finally:
        free(room.begin)
