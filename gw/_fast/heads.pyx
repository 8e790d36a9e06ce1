"""One pass over the headers of a request, or of an answer. The policy is gw.wire.headers', the names are in heads.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_GET_LENGTH
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcpy


cdef extern from "heads.h" nogil:
    enum: GW_H_PASS, GW_H_DROP, GW_H_TELL, GW_H_OWN, GW_H_API_KEY, GW_H_AUTHORIZATION, GW_H_GW_KEY, GW_H_LENGTH
    enum: GW_H_ENCODING, GW_H_CONNECTION, GW_H_TYPE, GW_H_REQUEST_ID, GW_H_ACCOUNT
    int gw_role_of_request(const char *name, size_t size) noexcept
    int gw_role_of_answer(const char *name, size_t size) noexcept
    bint gw_is_space(char c) noexcept
    int64_t gw_length_of(const char *value, size_t size) noexcept
    bint gw_is_plain(const char *text, size_t size) noexcept
    bint gw_has_key(const char *text, size_t size) noexcept
    char *gw_amount_before(char *end, uint64_t amount, int decimals) noexcept


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const unsigned char *PyUnicode_1BYTE_DATA(object text)


Headers = list[tuple[bytes, bytes]]

cdef tuple PLAIN_CONNECTION = (b"keep-alive", b"close")
cdef bytes LAST_LINE = b"accept-encoding: identity\r\n"


cdef class Sent:
    pass


cdef class Answer:
    pass


cdef inline bytes stripped(bytes value):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef const char *text = PyBytes_AS_STRING(value)
    return value.strip() if size and (gw_is_space(text[0]) or gw_is_space(text[size - 1])) else value


cdef inline char *put(char *at, bytes value):
    memcpy(at, PyBytes_AS_STRING(value), <size_t>PyBytes_GET_SIZE(value))
    return at + PyBytes_GET_SIZE(value)


cdef inline char *put_line(char *at, bytes name, bytes value):
    at = put(put(at, name), b": ")
    return put(put(at, value), b"\r\n")


cdef bytes lines_of(list fields, bytes last):
    """Lines `name: value` of name, value, name, value, ..., which are bytes; then `last`."""
    cdef Py_ssize_t i, size = PyBytes_GET_SIZE(last)
    for i in range(0, len(fields), 2):
        size += PyBytes_GET_SIZE(<bytes>fields[i]) + PyBytes_GET_SIZE(<bytes>fields[i + 1]) + 4
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size)
    cdef char *at = PyBytes_AS_STRING(whole)
    for i in range(0, len(fields), 2):
        at = put_line(at, <bytes>fields[i], <bytes>fields[i + 1])
    put(at, last)
    return whole


cdef list without_named(headers):
    """Drops Connection and the headers that it declares hop-by-hop."""
    gone = {b"connection"}
    for name, value in headers:
        if name == b"connection":
            gone |= {token.strip().lower() for token in value.split(b",")}
    return [item for item in headers if item[0] not in gone]


cpdef Sent read_request(list headers):
    if headers is None:
        raise TypeError("headers are a list")
    cdef Sent sent = Sent.__new__(Sent)
    cdef list passed = [], credentials = []
    cdef bytes name, value
    cdef int role
    sent.gw_key = sent.api_key = sent.authorization = sent.content_encoding = b""
    sent.content_length = -1
    sent.values = {}
    for pair in headers:
        name, value = pair
        if name is None or value is None:
            raise TypeError("a header is two bytes objects")
        role = gw_role_of_request(PyBytes_AS_STRING(name), <size_t>PyBytes_GET_SIZE(name))
        if role == GW_H_PASS or role == GW_H_TELL or role == GW_H_ENCODING:
            passed.append(name)
            passed.append(value)
        if role == GW_H_TELL or role == GW_H_OWN:
            sent.values[name] = value
        elif role == GW_H_LENGTH:
            sent.content_length = gw_length_of(PyBytes_AS_STRING(value), <size_t>PyBytes_GET_SIZE(value))
        elif role == GW_H_ENCODING:
            encoding = stripped(value).lower()
            sent.content_encoding = sent.content_encoding + b"," + encoding if sent.content_encoding else encoding
        elif role == GW_H_GW_KEY:
            sent.gw_key = stripped(value)
        elif role == GW_H_API_KEY or role == GW_H_AUTHORIZATION:
            if not gw_has_key(PyBytes_AS_STRING(value), <size_t>PyBytes_GET_SIZE(value)):  # a virtual key never goes upstream, whichever of its headers identified the caller
                credentials.append(name)
                credentials.append(value)
            if role == GW_H_API_KEY:
                sent.api_key = stripped(value)
            else:
                sent.authorization = stripped(value)
        elif role == GW_H_CONNECTION and value.lower() not in PLAIN_CONNECTION:
            return read_request(without_named(headers))
    sent.head = lines_of(passed, LAST_LINE)
    sent.credentials = lines_of(credentials, b"") if credentials else b""
    return sent


cpdef Answer to_client(list upstream, bytes call_id, bint own_account):
    if upstream is None or call_id is None:
        raise TypeError("headers are a list, an id is bytes")
    cdef Answer answer = Answer.__new__(Answer)
    cdef bytes name, value, request_id = b""
    cdef int role
    answer.headers = [(b"request-id", call_id), (b"x-gw-call-id", call_id)]
    answer.content_type = answer.encoding = b""
    for pair in upstream:
        name, value = pair
        if name is None or value is None:
            raise TypeError("a header is two bytes objects")
        role = gw_role_of_answer(PyBytes_AS_STRING(name), <size_t>PyBytes_GET_SIZE(name))
        if role == GW_H_REQUEST_ID:
            request_id = value
            continue
        if role == GW_H_DROP or (role == GW_H_ACCOUNT and not own_account):
            continue
        if role == GW_H_CONNECTION:
            if value.lower() not in PLAIN_CONNECTION:
                return to_client(without_named(upstream), call_id, own_account)
            continue
        if role == GW_H_TYPE:
            answer.content_type = stripped(value).lower()
        elif role == GW_H_ENCODING:
            answer.encoding = stripped(value).lower()
        answer.headers.append(pair)
    if request_id:
        answer.headers.append((b"x-gw-upstream-request-id", request_id))
    answer.request_id = text_of(request_id)
    if answer.encoding == b"identity":
        answer.encoding = b""
    answer.streams = answer.content_type.startswith(b"text/event-stream")
    return answer


cpdef str text_of(bytes value, Py_ssize_t limit=128):
    cdef Py_ssize_t size = min(PyBytes_GET_SIZE(value), limit)
    cdef const char *start = PyBytes_AS_STRING(value)
    cdef str text = PyUnicode_DecodeLatin1(start, size, NULL) if size else ""
    if gw_is_plain(start, <size_t>size):
        return text
    return "".join([char if char.isprintable() else "?" for char in text])


cpdef str word_of(bytes value):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef const char *start = PyBytes_AS_STRING(value)
    cdef const char *end = <const char *>memchr(start, b" ", <size_t>size)
    return text_of(value, min(size if end == NULL else end - start, 128))


cpdef str shown(str text, Py_ssize_t limit):
    if PyUnicode_GET_LENGTH(text) > limit:
        text = text[:limit]
    if PyUnicode_IS_ASCII(text) and gw_is_plain(<const char *>PyUnicode_1BYTE_DATA(text), <size_t>PyUnicode_GET_LENGTH(text)):
        return text
    return "".join([char if char.isprintable() else "?" for char in text])


cdef inline bint is_token(unsigned char c) noexcept nogil:
    """RFC 9110 5.6.2."""
    if c >= b"a" and c <= b"z" or c >= b"0" and c <= b"9" or c >= b"A" and c <= b"Z" or c == b"-":
        return True
    return c > 0x20 and c < 0x7F and memchr(b"\"(),/:;<=>?@[\\]{}", c, 17) == NULL


cdef inline bint is_named(const char *name, Py_ssize_t size, const char *lower) noexcept nogil:
    """Of a token: whatever the case, and the locale."""
    cdef Py_ssize_t i
    for i in range(size):
        if (name[i] | 0x20) != lower[i]:
            return False
    return True


cdef inline bint frames(const char *name, Py_ssize_t size) noexcept nogil:
    """Host, or one of the headers by which HTTP/1.1 finds the end of a message."""
    if size == 4:
        return is_named(name, size, b"host")
    if size == 10:
        return is_named(name, size, b"connection")
    if size == 14:
        return is_named(name, size, b"content-length")
    return size == 17 and is_named(name, size, b"transfer-encoding")


def is_clean_head(bytes head not None):
    cdef const char *at = PyBytes_AS_STRING(head)
    cdef const char *end = at + PyBytes_GET_SIZE(head)
    cdef const char *start
    cdef const char *stop
    cdef unsigned char c
    cdef bint odd = False
    while at < end:
        start = at
        while at < end and is_token(<unsigned char>at[0]):
            at += 1
        if at == start or at == end or at[0] != b":" or frames(start, at - start):
            return False
        at += 1
        stop = <const char *>memchr(at, b"\r", <size_t>(end - at))
        if stop == NULL or end - stop < 2 or stop[1] != b"\n":
            return False
        while at < stop:
            c = <unsigned char>at[0]
            odd |= (c < 0x20 and c != 0x09) or c == 0x7F
            at += 1
        at += 2
    return not odd


def amount_text(int64_t amount, int decimals):
    cdef char text[32]
    if amount < 0 or not 0 <= decimals <= 18:
        raise ValueError(f"not an amount with decimals: {amount}, {decimals}")
    cdef char *end = text + sizeof(text)
    cdef char *start = gw_amount_before(end, <uint64_t>amount, decimals)
    return PyBytes_FromStringAndSize(start, end - start)
