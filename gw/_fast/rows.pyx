"""Rows of the ledger out of the journal's frames, without a record object in between. The C is in rows.h.

The keeper reads each call twice, its beginning and its end; most are both in one batch, and then nobody needs the beginning.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_DelItem, PyDict_GetItem, PyDict_SetItem, PyDict_Size
from cpython.list cimport PyList_GET_SIZE
from cpython.long cimport PyLong_FromLongLong
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy


cdef extern from "rows.h" nogil:
    enum: GW_ROWS_HEAD

    ctypedef struct gw_crc "struct gw_crc":
        pass

    void gw_crc_init(gw_crc *crc) noexcept
    const uint8_t *gw_frame_end(const gw_crc *crc, uint32_t seed, size_t most, const uint8_t *p, const uint8_t *end) noexcept
    const uint8_t *gw_read_array(const uint8_t *p, const uint8_t *end, size_t *count) noexcept
    const uint8_t *gw_read_text(const uint8_t *p, const uint8_t *end, const uint8_t **text, size_t *length) noexcept
    const uint8_t *gw_read_integer(const uint8_t *p, const uint8_t *end, int64_t *value) noexcept
    bint gw_is_ascii(const uint8_t *text, size_t size) noexcept
    uint32_t gw_text_hash(const uint8_t *text, size_t size) noexcept


cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 most)
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    void *PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)


cdef enum:
    KEPT = 4096  # texts
    KEPT_BYTES = 64  # the longest of them


cdef class Rows:
    cdef bytes _kinds
    cdef Py_ssize_t _frame_bytes_max
    cdef gw_crc _crc
    cdef PyObject *_kept[KEPT]  # a text by its hash: of those that come again and again one object each, which knows its own hash

    def __cinit__(self, str kinds, Py_ssize_t frame_bytes_max):
        if kinds[:1] not in ("t", "u") or set(kinds) - set("tuib"):
            raise ValueError("the id first, a text; each column a text (t, u), an integer (i) or a flag (b)")
        self._kinds = kinds.encode()
        self._frame_bytes_max = frame_bytes_max
        gw_crc_init(&self._crc)

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(KEPT):
            Py_XDECREF(self._kept[i])

    def read(
        self, bytes content not None, Py_ssize_t at, uint32_t seed, str name not None, Py_ssize_t base, list rows not None,
        dict begun not None, Py_ssize_t most, Py_ssize_t frames
    ):
        cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(content)
        cdef const uint8_t *end = start + PyBytes_GET_SIZE(content)
        cdef const uint8_t *p
        cdef const uint8_t *after
        if at < 0 or at > PyBytes_GET_SIZE(content):
            raise ValueError("that is not within the content")
        p = start + at
        while frames > 0 and PyList_GET_SIZE(rows) + PyDict_Size(begun) < most:
            after = gw_frame_end(&self._crc, seed, <size_t>self._frame_bytes_max, p, end)
            if after == NULL:
                break
            if p[3] == c"C":
                row = self._row(p + GW_ROWS_HEAD, after)
                if row is None:
                    break
                rows.append(row)
                if PyDict_GetItem(begun, row[0]) != NULL:
                    PyDict_DelItem(begun, row[0])
            elif p[3] == c"O":
                call_id = self._call_id(p + GW_ROWS_HEAD, after)
                if call_id is None:
                    break
                PyDict_SetItem(begun, call_id, (name, base + (p - start), PyBytes_FromStringAndSize(<const char *>p, after - p)))
            else:
                break
            p = after
            frames -= 1
        return p - start

    cdef object _row(self, const uint8_t *p, const uint8_t *end):
        """None: it is not what it should be, to the last byte."""
        cdef size_t count = 0, length = 0
        cdef const uint8_t *text = NULL
        cdef int64_t integer = 0
        cdef Py_ssize_t column
        cdef char kind
        cdef const char *kinds = PyBytes_AS_STRING(self._kinds)
        p = gw_read_array(p, end, &count)
        if p == NULL or <Py_ssize_t>count != PyBytes_GET_SIZE(self._kinds):
            return None
        row = PyTuple_New(<Py_ssize_t>count)
        for column in range(<Py_ssize_t>count):
            kind = kinds[column]
            if kind == c"i":
                p = gw_read_integer(p, end, &integer)
                if p == NULL:
                    return None
                value = PyLong_FromLongLong(integer)
            elif kind == c"b":
                if p >= end or p[0] & 0xFE != 0xC2:
                    return None
                value = p[0] == 0xC3
                p += 1
            else:
                p = gw_read_text(p, end, &text, &length)
                if p == NULL:
                    return None
                value = self._text(text, <Py_ssize_t>length, kind == c"t")
                if value is None:
                    return None
            Py_INCREF(value)
            PyTuple_SET_ITEM(row, column, value)
        return row if p == end else None

    cdef object _call_id(self, const uint8_t *p, const uint8_t *end):
        """Of a beginning, whose second value it is. None: there is none."""
        cdef size_t count = 0, length = 0
        cdef const uint8_t *text = NULL
        cdef int64_t slot = 0
        p = gw_read_array(p, end, &count)
        if p == NULL or count < 2:
            return None
        p = gw_read_integer(p, end, &slot)
        if p == NULL or gw_read_text(p, end, &text, &length) == NULL:
            return None
        return self._text(text, <Py_ssize_t>length, False)

    cdef object _text(self, const uint8_t *utf8, Py_ssize_t size, bint again):
        """None: it is no UTF-8."""
        cdef uint32_t place = 0
        if not gw_is_ascii(utf8, <size_t>size):
            try:
                return PyUnicode_DecodeUTF8(<const char *>utf8, size, NULL)
            except UnicodeDecodeError:
                return None
        if again and size <= KEPT_BYTES:
            place = gw_text_hash(utf8, <size_t>size) % KEPT
            if self._kept[place] != NULL:
                found = <object>self._kept[place]
                if PyUnicode_GET_LENGTH(found) == size and not memcmp(PyUnicode_1BYTE_DATA(found), utf8, <size_t>size):
                    return found
        text = PyUnicode_New(size, 127)
        if size:  # the empty text is one for all
            memcpy(PyUnicode_1BYTE_DATA(text), utf8, <size_t>size)
        if again and size <= KEPT_BYTES:
            Py_XDECREF(self._kept[place])
            Py_INCREF(text)
            self._kept[place] = <PyObject *>text
        return text
