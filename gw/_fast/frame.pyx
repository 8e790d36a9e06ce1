"""Frames of the journal, column by column, without an object in between. The C is in frame.h, the layout in gw.ledger.journal.

A call's record has some sixty columns. To write them here took the settlement of a call from 60,000 instructions to 33,000, and
the frame before it from 25,000 to 15,000, against objects that are built, encoded, and joined to their heads.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free


cdef extern from "frame.h" nogil:
    enum: GW_FRAME_HEAD, GW_FRAME_TAG
    void gw_crc_init(gw_crc *crc) noexcept
    int gw_frame_room(gw_frame *frame, size_t more) noexcept
    void gw_frame_byte(gw_frame *frame, unsigned int value) noexcept
    void gw_frame_unsigned(gw_frame *frame, uint64_t value) noexcept
    void gw_frame_signed(gw_frame *frame, int64_t value) noexcept
    void gw_frame_raw(gw_frame *frame, const void *bytes, size_t size) noexcept
    void gw_frame_text(gw_frame *frame, const uint8_t *utf8, size_t size) noexcept
    void gw_frame_array(gw_frame *frame, size_t count) noexcept
    void gw_frame_seal(gw_frame *frame) noexcept


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const uint8_t *PyUnicode_1BYTE_DATA(object text)


cdef enum:
    VALUE_HEAD = 9  # what stands before a value at most


cdef inline bint plain(const uint8_t *text, Py_ssize_t size) noexcept nogil:
    """ASCII that every terminal shows as it is."""
    cdef Py_ssize_t i
    cdef bint odd = False
    for i in range(size):
        odd |= text[i] < 0x20 or text[i] == 0x7F
    return not odd


cdef inline int make_room(gw_frame *frame, size_t size) except -1:
    if gw_frame_room(frame, size + VALUE_HEAD) < 0:
        raise MemoryError
    return 0


cdef class Frame:
    def __cinit__(self, uint32_t seed=0):
        self.frame.seed = seed
        gw_crc_init(&self.frame.crc)
        make_room(&self.frame, 4096)
        self.frame.size = GW_FRAME_HEAD

    def __dealloc__(self):
        free(self.frame.bytes)

    @property
    def size(self):
        return self.frame.size

    cpdef int begin(self, bytes kind, Py_ssize_t columns) except -1:
        if kind is None or PyBytes_GET_SIZE(kind) != GW_FRAME_TAG:
            raise ValueError("a kind of frame is named by four bytes")
        self.frame.size = 0
        gw_frame_raw(&self.frame, PyBytes_AS_STRING(kind), GW_FRAME_TAG)
        self.frame.size = GW_FRAME_HEAD
        return self.array(columns)

    cpdef int array(self, Py_ssize_t count) except -1:
        make_room(&self.frame, 0)
        gw_frame_array(&self.frame, <size_t>count)
        return 0

    cpdef int text(self, str value) except -1:
        cdef const uint8_t *utf8
        cdef Py_ssize_t size
        if value is None:
            raise TypeError("a text is needed, not None")
        if PyUnicode_IS_ASCII(value):
            utf8, size = PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value)
        else:
            encoded = value.encode("utf-8", "replace")
            utf8, size = <const uint8_t *>PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded)
        make_room(&self.frame, <size_t>size)
        gw_frame_text(&self.frame, utf8, <size_t>size)
        return 0

    cpdef int shown(self, str value, Py_ssize_t limit) except -1:
        cdef Py_ssize_t size
        if value is not None and PyUnicode_IS_ASCII(value):
            size = min(PyUnicode_GET_LENGTH(value), limit)
            if plain(PyUnicode_1BYTE_DATA(value), size):
                make_room(&self.frame, <size_t>size)
                gw_frame_text(&self.frame, PyUnicode_1BYTE_DATA(value), <size_t>size)
                return 0
        return self.text("".join([char if char.isprintable() else "?" for char in value[:limit]]))

    cpdef int number(self, int64_t value) except -1:
        make_room(&self.frame, 0)
        gw_frame_signed(&self.frame, value)
        return 0

    cpdef int integer(self, object value) except -1:
        cdef int overflow = 0
        cdef int64_t small = PyLong_AsLongLongAndOverflow(value, &overflow)
        make_room(&self.frame, 0)
        if overflow > 0:
            gw_frame_unsigned(&self.frame, <uint64_t>min(value, 0xFFFFFFFFFFFFFFFF))
        else:
            gw_frame_signed(&self.frame, small if overflow == 0 else INT64_MIN)
        return 0

    cpdef int flag(self, bint value) except -1:
        make_room(&self.frame, 0)
        gw_frame_byte(&self.frame, 0xC3 if value else 0xC2)
        return 0

    cpdef int raw(self, bytes encoded) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(encoded)
        make_room(&self.frame, <size_t>size)
        gw_frame_raw(&self.frame, PyBytes_AS_STRING(encoded), <size_t>size)
        return 0

    cpdef int value(self, object value) except -1:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool):
            return self.flag(value)
        if isinstance(value, int):
            return self.integer(value)
        if not isinstance(value, tuple):
            raise TypeError(f"no column holds a {type(value).__name__}")
        self.array(len(value))
        for one in value:
            self.value(one)
        return 0

    cpdef bytes since(self, Py_ssize_t start):
        if not GW_FRAME_HEAD <= start <= <Py_ssize_t>self.frame.size:
            raise ValueError("nothing was written there")
        return PyBytes_FromStringAndSize(<const char *>self.frame.bytes + start, <Py_ssize_t>self.frame.size - start)

    cpdef bytes end(self):
        gw_frame_seal(&self.frame)
        return PyBytes_FromStringAndSize(<const char *>self.frame.bytes, <Py_ssize_t>self.frame.size)
