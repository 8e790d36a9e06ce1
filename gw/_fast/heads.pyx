"""One pass over the headers of a request, or of an answer. The policy is gw.wire.headers', the names are in heads.h."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_GET_LENGTH
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy


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
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 most)


Headers = list[tuple[bytes, bytes]]

cdef tuple PLAIN_CONNECTION = (b"keep-alive", b"close")
cdef enum:
    TAGS_MAX = 512  # what is kept of a request's tags, as gw.wire.headers has it

cdef bytes JSON = b"application/json"
cdef bytes KEEP_ALIVE = b"keep-alive"
cdef bytes LAST_LINE = b"accept-encoding: identity\r\n"


# A client sends the same headers with every call, but for the body's length: what was read of the last ones is kept, at a place
# that the ends of their values choose. To compare them costs a fifth of reading them anew.
cdef enum:
    KEPT_COUNT = 256
    KEPT_BYTES_MAX = 4096
    KEPT_HEADERS_MAX = 64
    LENGTH_NONE = -1  # there is no content-length
    LENGTH_ODD = -2  # more than one, or headers that name others as hop-by-hop: not kept

cdef list KEPT = [None] * KEPT_COUNT


cdef class Told:
    pass


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


cdef inline Py_ssize_t place_of(list headers) noexcept:
    """Where they are kept; KEPT_COUNT: they are not, being too many, too long, or no headers."""
    cdef Py_ssize_t i, size, whole = 0, count = len(headers)
    cdef uint64_t mixed = <uint64_t>count, last
    cdef const char *name
    if count > KEPT_HEADERS_MAX:
        return KEPT_COUNT
    for i in range(count):
        pair = headers[i]
        if not PyTuple_CheckExact(pair) or PyTuple_GET_SIZE(pair) != 2:
            return KEPT_COUNT
        if type(<object>PyTuple_GET_ITEM(pair, 0)) is not bytes or type(<object>PyTuple_GET_ITEM(pair, 1)) is not bytes:
            return KEPT_COUNT
        size = PyBytes_GET_SIZE(<object>PyTuple_GET_ITEM(pair, 1))
        whole += size
        if size >= 8:  # no length has so many digits, unless it is an odd one
            memcpy(&last, PyBytes_AS_STRING(<object>PyTuple_GET_ITEM(pair, 1)) + size - 8, 8)
            mixed = (mixed ^ last) * <uint64_t>0x9E3779B97F4A7C15
    return KEPT_COUNT if whole > KEPT_BYTES_MAX else <Py_ssize_t>(mixed >> 56)


cdef inline bint is_same(object one, object other) noexcept:
    """Of two bytes objects."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(one)
    return one is other or (PyBytes_GET_SIZE(other) == size and memcmp(PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), <size_t>size) == 0)


cdef bint is_as_kept(Sent kept, list headers) noexcept:
    """Whether these are the headers that it was read from, whatever the length. All are pairs of bytes."""
    cdef Py_ssize_t i, count = len(headers)
    cdef list pairs = kept.pairs
    if len(pairs) != count:
        return False
    for i in range(count):
        mine, theirs = pairs[i], headers[i]
        if not is_same(<object>PyTuple_GET_ITEM(mine, 0), <object>PyTuple_GET_ITEM(theirs, 0)):
            return False
        if i != kept.length_at and not is_same(<object>PyTuple_GET_ITEM(mine, 1), <object>PyTuple_GET_ITEM(theirs, 1)):
            return False
    return True


cpdef Sent read_request(list headers):
    if headers is None:
        raise TypeError("headers are a list")
    cdef Py_ssize_t place = place_of(headers)
    cdef Sent kept, sent
    if place >= KEPT_COUNT:
        return read_anew(headers)
    kept = <Sent>KEPT[place]
    if kept is None or not is_as_kept(kept, headers):
        sent = read_anew(headers)
        if sent.length_at != LENGTH_ODD:
            sent.pairs = headers[:]
            KEPT[place] = sent
        return sent
    sent = Sent.__new__(Sent)
    sent.head, sent.credentials = kept.head, kept.credentials
    sent.gw_key, sent.api_key, sent.authorization = kept.gw_key, kept.api_key, kept.authorization
    sent.content_encoding, sent.values, sent.told = kept.content_encoding, kept.values, kept.told
    sent.content_length = -1
    if kept.length_at >= 0:
        pair = headers[kept.length_at]
        value = <object>PyTuple_GET_ITEM(pair, 1)
        sent.content_length = gw_length_of(PyBytes_AS_STRING(value), <size_t>PyBytes_GET_SIZE(value))
    return sent


cdef str told_of(dict values, bytes name):
    value = values.get(name)
    return text_of(<bytes>value) if value is not None else ""


cpdef Told told_by(dict values):
    cdef Told told = Told.__new__(Told)
    told.session_id = told_of(values, b"x-claude-code-session-id")
    told.agent_id = told_of(values, b"x-claude-code-agent-id")
    told.parent_agent_id = told_of(values, b"x-claude-code-parent-agent-id")
    told.prompt_id = told_of(values, b"x-claude-code-prompt-id")
    told.project = told_of(values, b"x-gw-project")
    told.tags = text_of(<bytes>values.get(b"x-gw-tags", b""), TAGS_MAX)
    told.client = word_of(<bytes>values.get(b"user-agent", b""))
    return told


cdef Sent read_anew(list headers):
    cdef Sent sent = Sent.__new__(Sent)
    cdef list passed = [], credentials = []
    cdef bytes name, value
    cdef int role
    cdef Py_ssize_t at = -1
    sent.gw_key = sent.api_key = sent.authorization = sent.content_encoding = b""
    sent.content_length = -1
    sent.length_at = LENGTH_NONE
    sent.values = {}
    for pair in headers:
        at += 1
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
            sent.length_at = at if sent.length_at == LENGTH_NONE else LENGTH_ODD
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
        elif role == GW_H_CONNECTION and not is_same(value, KEEP_ALIVE) and value.lower() not in PLAIN_CONNECTION:
            sent = read_anew(without_named(headers))
            sent.length_at = LENGTH_ODD
            return sent
    sent.head = lines_of(passed, LAST_LINE)
    sent.credentials = lines_of(credentials, b"") if credentials else b""
    sent.told = told_by(sent.values)
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
            if not is_same(value, KEEP_ALIVE) and value.lower() not in PLAIN_CONNECTION:
                return to_client(without_named(upstream), call_id, own_account)
            continue
        if role == GW_H_TYPE:
            answer.content_type = value if is_same(value, JSON) else stripped(value).lower()
        elif role == GW_H_ENCODING:
            answer.encoding = stripped(value).lower()
        answer.headers.append(pair)
    if request_id:
        answer.headers.append((b"x-gw-upstream-request-id", request_id))
    answer.request_id = text_of(request_id)
    if PyBytes_GET_SIZE(answer.encoding) and answer.encoding == b"identity":
        answer.encoding = b""
    answer.streams = not is_same(answer.content_type, JSON) and answer.content_type.startswith(b"text/event-stream")
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


cpdef str numbered(str prefix, int64_t serial):
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(prefix), digits = 8
    cdef uint64_t left = <uint64_t>serial
    if serial < 0 or not PyUnicode_IS_ASCII(prefix):
        raise ValueError(f"not the beginning of an id, or no number: {prefix!r}, {serial}")
    while digits < 16 and left >> 4 * digits:
        digits += 1
    text = PyUnicode_New(size + digits, 127)
    cdef unsigned char *at = <unsigned char *>PyUnicode_1BYTE_DATA(text)
    memcpy(at, PyUnicode_1BYTE_DATA(prefix), <size_t>size)
    for size in range(size + digits - 1, size - 1, -1):
        at[size] = b"0123456789abcdef"[left & 15]
        left >>= 4
    return text


cpdef bytes amount_text(int64_t amount, int decimals):
    cdef char text[32]
    if amount < 0 or not 0 <= decimals <= 18:
        raise ValueError(f"not an amount with decimals: {amount}, {decimals}")
    cdef char *end = text + sizeof(text)
    cdef char *start = gw_amount_before(end, <uint64_t>amount, decimals)
    return PyBytes_FromStringAndSize(start, end - start)
