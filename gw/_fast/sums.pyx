"""What rows of the ledger add up to. What counts is said by gw.ledger.rollup_shape, and handed over once (`Rules`). The C is in
sums.h.

The values are C integers, and a row is added where it belongs without an object of its own but its path: that is looked up once,
and what else the row counts in (an hour, an agent of a session) hangs on what is found. Sums in one large Python integer each,
tuples that are hashed for everything that a row counts in, took ten times as long.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset


cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object dictionary, object key) except? NULL
    void PyObject_GC_UnTrack(object one)


cdef extern from "sums.h" nogil:
    enum: GW_HALF_BITS
    bint gw_lanes_add(int64_t *to, const int64_t *more, int count) noexcept
    int64_t gw_within(int64_t value, int64_t most) noexcept
    int64_t gw_passed(int64_t since, int64_t until, int64_t most) noexcept
    void gw_halve(int64_t amount, int64_t *halves) noexcept
    int64_t gw_whole(const int64_t *halves, int64_t most) noexcept
    bint gw_more(const int64_t *numbers, int count, int64_t most) noexcept
    bint gw_nothing(const int64_t *numbers, int count) noexcept


cdef inline int add_lanes(int64_t *to, const int64_t *more) except -1:
    if not gw_lanes_add(to, more, LANES):
        raise OverflowError("a sum beyond 64 bits")
    return 0


cdef inline object at(tuple row, Py_ssize_t place):
    """Of a row that is long enough, as `checked` has seen."""
    return <object>PyTuple_GET_ITEM(row, place)


cdef inline str text(tuple row, Py_ssize_t place):
    return <str?>at(row, place)


cdef inline int put(tuple to, Py_ssize_t place, object value) except -1:
    """Into a tuple that is new."""
    Py_INCREF(value)
    PyTuple_SET_ITEM(to, place, value)
    return 0


cdef class Sums:
    cpdef add(self, Sums other):
        if other is None:
            raise TypeError("sums are added to sums")
        add_lanes(self.lanes, other.lanes)

    cpdef Sums copy(self):
        cdef Sums found = Sums.__new__(Sums)
        memcpy(found.lanes, self.lanes, sizeof(self.lanes))
        return found

    cpdef tuple values(self):
        cdef int lane
        cdef tuple found = PyTuple_New(LANES)
        for lane in range(LANES):
            put(found, lane, self.lanes[lane])
        return found


cdef class Run(Sums):
    def __cinit__(self):
        self.session, self.agent, self.path, self.parent = (), "", (), ""

    cdef int extend(self, const int64_t *lanes, int64_t first_us, int64_t last_us) except -1:
        add_lanes(self.lanes, lanes)
        self.first_us, self.last_us = min(self.first_us, first_us), max(self.last_us, last_us)
        return 0

    cpdef tuple totals(self, int64_t most):
        cdef int lane
        cdef const int64_t *owed = &self.lanes[FIRST_AMOUNT]
        cdef tuple found = PyTuple_New(OF_RUN + 4)
        for lane in range(OF_RUN):
            put(found, lane, self.lanes[lane])
        put(found, OF_RUN, gw_whole(owed, most))
        put(found, OF_RUN + 1, gw_whole(owed + 2, most))
        put(found, OF_RUN + 2, self.first_us)
        put(found, OF_RUN + 3, self.last_us)
        return found


cdef Run begun(tuple session, str agent, tuple path, int64_t first_us, int64_t last_us):
    cdef Run run = Run.__new__(Run)
    run.session, run.agent, run.path, run.first_us, run.last_us = session, agent, path, first_us, last_us
    return run


cdef Py_ssize_t together(tuple columns, tuple wanted, Py_ssize_t count) except -1:
    """Where these begin, which stand side by side."""
    cdef Py_ssize_t first = columns.index(wanted[0])
    if len(wanted) != count or columns[first : first + count] != wanted:
        raise ValueError(f"{count} columns that stand together are needed, not {wanted}")
    return first


cdef Py_ssize_t scattered(tuple columns, tuple wanted, Py_ssize_t *places, Py_ssize_t most) except -1:
    cdef Py_ssize_t i
    if len(wanted) > most:
        raise ValueError(f"more than {most} columns")
    for i in range(len(wanted)):
        places[i] = columns.index(wanted[i])
    return len(wanted)


cdef class Layout:
    def __init__(self, tuple columns, rules):
        self.width = len(columns)
        self.endpoint, self.outcome = columns.index("endpoint"), columns.index("outcome")
        self.status, self.source = columns.index("status"), columns.index("usage_source")
        self.price, self.attempts = columns.index("price_version"), columns.index("attempts")
        self.attempt_of, self.session = columns.index("attempt_of"), columns.index("session_id")
        self.agent, self.parent = columns.index("agent_id"), columns.index("parent_agent_id")
        self.model, self.started = columns.index("requested_model"), columns.index("started_us")
        self.ended = self.instants[0] = columns.index("ended_us")
        self.instants[1], self.instants[2] = columns.index("first_byte_us"), columns.index("first_token_us")
        self.tokens = together(columns, rules.tokens, TOKENS + TOOLS)
        self.amounts = together(columns, rules.amounts, AMOUNTS)
        self.dimension_count = scattered(columns, rules.dimensions, self.dimensions, DIMENSIONS_MAX)
        self.account_count = scattered(columns, rules.account, self.account, ACCOUNT_MAX)
        self.errors, self.leaving = rules.errors, rules.leaving
        self.short, self.long = rules.contexts
        self.main, self.subagent, self.background, self.other = rules.kinds
        self.small_model, self.long_context = rules.small_model, rules.long_context_tokens
        self.side_prompt, self.count_max, self.hour_us = rules.side_prompt_tokens, rules.count_max, rules.hour_us
        if rules.half_bits != GW_HALF_BITS or self.count_max < 0 or self.hour_us <= 0:
            raise ValueError("rules that sums do not follow")
        if not set(rules.account) <= set(rules.dimensions):
            raise ValueError("a path does not say whose it is")

    cdef int checked(self, tuple row) except -1:
        if row is None or PyTuple_GET_SIZE(row) < self.width:
            raise ValueError("a row has a value for each column")
        return 0

    cpdef tuple path_of(self, tuple row):
        cdef Py_ssize_t i, count = self.dimension_count
        cdef int64_t prompt[4]  # fresh, read, written for 5 minutes, for 1 hour
        self.checked(row)
        cdef tuple path = PyTuple_New(count + 2)
        for i in range(count):
            put(path, i, at(row, self.dimensions[i]))
        prompt[0] = at(row, self.tokens)
        for i in range(1, 4):
            prompt[i] = at(row, self.tokens + 1 + i)
        put(path, count, self.long if gw_more(prompt, 4, self.long_context) else self.short)
        put(path, count + 1, self.kind_of(row, prompt[0], not gw_nothing(prompt + 1, 3)))
        return path

    cdef str kind_of(self, tuple row, int64_t fresh, bint cached):
        if text(row, self.agent):
            return self.subagent
        if not text(row, self.session):
            return self.other
        if cached or text(row, self.source) == "none":
            return self.main
        if fresh < self.side_prompt or self.small_model in text(row, self.model).lower():
            return self.background
        return self.main

    cpdef tuple session_of(self, tuple row):
        cdef Py_ssize_t i
        self.checked(row)
        cdef tuple session = PyTuple_New(1 + self.account_count)
        put(session, 0, at(row, self.session))
        for i in range(self.account_count):
            put(session, 1 + i, at(row, self.account[i]))
        return session

    cdef bint is_request(self, tuple row, str outcome) except -1:
        """As gw.domain.attempts.is_request."""
        if text(row, self.attempt_of) and not text(row, self.attempts):
            return False
        return <int64_t>at(row, self.status) != 0 or outcome not in self.leaving

    cdef int count(self, tuple row, int64_t *lanes) except -1:
        """All lanes of a row that is long enough."""
        cdef int i
        cdef int64_t started_us, at_us
        cdef str outcome = text(row, self.outcome), source = text(row, self.source)
        cdef bint call = text(row, self.endpoint) == "messages"
        cdef bint completed = call and outcome == "completed"
        lanes[0], lanes[1], lanes[2] = call, self.is_request(row, outcome), call and not completed
        lanes[3], lanes[4] = call and not completed and outcome in self.errors, call and outcome == "refused"
        lanes[5], lanes[6], lanes[7] = text(row, self.price) == "unpriced", source == "observed", source == "estimated"
        lanes += FLAGS
        for i in range(TOKENS):
            lanes[i] = gw_within(at(row, self.tokens + i), self.count_max)
        lanes += TOKENS
        memset(lanes, 0, LATENCIES * sizeof(int64_t))
        if completed:
            started_us = at(row, self.started)
            for i in range(INSTANTS):
                at_us = at(row, self.instants[i])
                if at_us:
                    lanes[2 * i], lanes[2 * i + 1] = gw_passed(started_us, at_us, self.count_max), 1
        lanes += LATENCIES
        for i in range(TOOLS):
            lanes[i] = gw_within(at(row, self.tokens + TOKENS + i), self.count_max)
        lanes += TOOLS
        for i in range(AMOUNTS):
            gw_halve(at(row, self.amounts + i), lanes + 2 * i)
        return 0

    cdef int differ(self, object amounts, int64_t *lanes) except -1:
        """All lanes of an adjustment. An amount may be of more than 64 bits."""
        cdef int i
        cdef tuple found = tuple(amounts)
        if len(found) != AMOUNTS:
            raise ValueError(f"an adjustment has {AMOUNTS} amounts")
        memset(lanes, 0, FIRST_AMOUNT * sizeof(int64_t))
        for i in range(AMOUNTS):
            high = found[i] >> GW_HALF_BITS
            lanes[FIRST_AMOUNT + 2 * i], lanes[FIRST_AMOUNT + 2 * i + 1] = high, found[i] - (high << GW_HALF_BITS)
        return 0

    cpdef Sums sums_of(self, tuple row):
        cdef Sums found = Sums.__new__(Sums)
        self.checked(row)
        self.count(row, found.lanes)
        return found

    cpdef Sums adjusting(self, object amounts):
        cdef Sums found = Sums.__new__(Sums)
        self.differ(amounts, found.lanes)
        return found


cdef class Place:
    cdef Sums sums_at(self, int64_t hour):
        if hour != self.hour or self.sums is None:
            self.hour, self.sums = hour, self.hours.get(hour)
            if self.sums is None:
                self.sums = self.hours[hour] = Sums.__new__(Sums)
        return self.sums


cdef class Gathered:
    def __init__(self, Layout layout not None):
        self.layout, self.places = layout, {}

    def __len__(self):
        return len(self.places)

    cpdef add(self, tuple row):
        cdef int64_t lanes[LANES]
        self.layout.checked(row)
        self.layout.count(row, lanes)
        self.put(row, lanes)

    cpdef add_all(self, rows):
        for row in rows:
            self.add(row)

    cpdef adjust(self, tuple row, amounts):
        cdef int64_t lanes[LANES]
        self.layout.checked(row)
        self.layout.differ(amounts, lanes)
        self.put(row, lanes)

    cdef Place place_of(self, tuple path):
        cdef PyObject *there = PyDict_GetItemWithError(self.places, path)
        if there is not NULL:
            return <Place>there
        cdef Place place = Place.__new__(Place)
        place.path, place.hours, place.runs = path, {}, {}
        self.places[path] = place
        return place

    cdef int put(self, tuple row, const int64_t *lanes) except -1:
        cdef Layout layout = self.layout
        cdef Place place = self.place_of(layout.path_of(row))
        cdef int64_t started_us = at(row, layout.started), ended_us = at(row, layout.ended)
        cdef str session = text(row, layout.session), agent = text(row, layout.agent)
        cdef Run run
        add_lanes(place.sums_at(ended_us // layout.hour_us).lanes, lanes)
        if not session and not agent:
            return 0
        key = (session, agent) if agent else session  # whose session it is stands in the path
        cdef PyObject *there = PyDict_GetItemWithError(place.runs, key)
        if there is NULL:
            run = begun(layout.session_of(row), agent, place.path, min(started_us, ended_us), ended_us)
            place.runs[key] = run
        else:
            run = <Run>there
        # Where a clock was set back, a session does not end before it begins.
        run.extend(lanes, min(started_us, ended_us), ended_us)
        if not run.parent:
            run.parent = text(row, layout.parent)
        return 0

    def hours(self):
        cdef Place place
        found = {}
        for place in self.places.values():
            for hour, sums in place.hours.items():
                found.setdefault(hour, {})[place.path] = sums
        return found

    def runs(self):
        cdef Place place
        return [run for place in self.places.values() for run in place.runs.values()]

    def sessions(self):
        cdef Run run, whole
        cdef dict found = {}
        for run in self.runs():
            whole = found.get(run.session)
            if whole is None:
                whole = found[run.session] = begun(run.session, "", (), run.first_us, run.last_us)
            whole.extend(run.lanes, run.first_us, run.last_us)
        return found


def spread(dict paths not None, dict known not None, int levels):
    cdef Sums sums, whole
    cdef tuple numbers
    cdef int i
    cdef list found = [{} for _ in range(levels)]
    for path, sums in paths.items():
        numbers = known[path]
        if len(numbers) != levels:
            raise ValueError("a path has a number at each level")
        for i in range(levels):
            whole = (<dict>found[i]).get(numbers[i])
            if whole is None:
                (<dict>found[i])[numbers[i]] = sums.copy()
            else:
                whole.add(sums)
    return found


def rows_of(dict cells not None, level, hour):
    cdef int lane
    cdef Sums sums
    cdef tuple row
    cdef list rows = []
    for number in sorted(cells):
        sums = cells[number]
        row = PyTuple_New(3 + LANES)
        put(row, 0, level)
        put(row, 1, hour)
        put(row, 2, number)
        for lane in range(LANES):
            put(row, 3 + lane, sums.lanes[lane])
        PyObject_GC_UnTrack(row)  # it holds integers, and Python would look through thousands of them for what leads back
        rows.append(row)
    return rows


def rows_at(list rows not None, hour):
    cdef Py_ssize_t i
    cdef tuple row, other
    cdef list found = []
    for row in rows:
        other = PyTuple_New(3 + LANES)
        if row is None or PyTuple_GET_SIZE(row) != 3 + LANES:
            raise ValueError("rows of another shape")
        for i in range(3 + LANES):
            put(other, i, hour if i == 1 else at(row, i))
        PyObject_GC_UnTrack(other)
        found.append(other)
    return found
