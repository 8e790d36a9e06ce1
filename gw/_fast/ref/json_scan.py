"""The pure twin of json_scan.h: an incremental, strictly validating reader of one JSON object, fed in any split.

It stops at the same byte as the C and calls the same hooks in the same order; what it keeps is bounded likewise.
"""

import re
from typing import Final

DEPTH_MAX: Final = 512
TEXT_MAX: Final = 256
INT64_MAX: Final = 2**63 - 1

# States up to NEXT wait for a structural byte.
START, VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, NEXT, STRING, ESCAPE, HEX, LITERAL, NUMBER, DONE, FAILED = range(14)
OBJECT, ARRAY, TEXT, NUMERAL, TRUE, FALSE, NULL = range(7)
SKIP, COUNT, CAPTURE = range(3)

_BLANK: Final = b" \n\t\r"
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f\x80-\xff]*')
_ESCAPES: Final = {0x22: b'"', 0x5C: b"\\", 0x2F: b"/", 0x62: b"\b", 0x66: b"\f", 0x6E: b"\n", 0x72: b"\r", 0x74: b"\t"}
_LITERALS: Final = {0x74: (TRUE, b"rue"), 0x66: (FALSE, b"alse"), 0x6E: (NULL, b"ull")}
_DIGITS: Final = b"0123456789"
# What a number may go on with, and whether it may end, by the last thing read.
_ZERO, _WHOLE, _MINUS, _POINT, _FRACTION, _EXPONENT, _SIGN, _POWER = range(8)
_NUMBER_ENDS: Final = (_ZERO, _WHOLE, _FRACTION, _POWER)


def _utf8_due(lead: int) -> tuple[int, int, int]:
    """After this first byte: how many more, and the range of the next (Unicode 15, table 3-7). 0: it cannot be one."""
    if lead < 0xC2 or lead > 0xF4:
        return 0, 0, 0
    more = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
    return more, {0xE0: 0xA0, 0xF0: 0x90}.get(lead, 0x80), {0xED: 0x9F, 0xF4: 0x8F}.get(lead, 0xBF)


def _number_next(part: int, byte: int) -> int:
    """The part of a number after `part` and this byte; -1 if it does not go on so."""
    if byte in _DIGITS:
        if part == _MINUS:
            return _ZERO if byte == 0x30 else _WHOLE
        return {_POINT: _FRACTION, _EXPONENT: _POWER, _SIGN: _POWER, _ZERO: -1}.get(part, part)
    if byte == 0x2E and part in (_ZERO, _WHOLE):
        return _POINT
    if byte in b"eE" and part in (_ZERO, _WHOLE, _FRACTION):
        return _EXPONENT
    return _SIGN if byte in b"+-" and part == _EXPONENT else -1


class JsonScan:
    """Subclasses override the five hooks; json_scan.h says when each is called and what stands where then."""

    def __init__(self) -> None:
        self.text: bytearray | None = bytearray()  # None: it did not fit
        self.counted = 0
        self.number = 0
        self.plain = False
        self._is_key = False
        self._mode = SKIP
        self._literal = b""
        self._hex = ""
        self._part = _ZERO
        self._low = self._high = 0
        self.reset()

    def reset(self) -> None:
        self.state = START
        self.depth = 0
        self._objects: list[bool] = []  # per open container
        self._utf8_left = 0

    def on_value(self, at: int, kind: int) -> int:
        raise NotImplementedError

    def on_key(self, at: int) -> None:
        raise NotImplementedError

    def on_string(self, at: int) -> None:
        raise NotImplementedError

    def on_number(self) -> None:
        raise NotImplementedError

    def on_close(self) -> None:
        raise NotImplementedError

    def feed_json(self, chunk: bytes, at: int, end: int) -> int:
        """Reads chunk[at:end]; returns where it stopped: `end`, past the last brace (DONE), at the bad byte (FAILED)."""
        while at < end and self.state < DONE:
            state = self.state
            if state == STRING:
                at = self._read_string(chunk, at, end)
            elif state <= NEXT:
                if chunk[at] in _BLANK or self._structure(chunk[at], at):
                    at += 1
            elif state == NUMBER:
                if self._number_byte(chunk[at]):
                    at += 1
            elif self._inner_byte(chunk[at]):
                at += 1
        return at

    def _take(self, piece: bytes) -> None:
        if self._mode == COUNT:
            self.counted += len(piece)
        elif self._mode == CAPTURE and self.text is not None:
            if len(self.text) + len(piece) > TEXT_MAX:
                self.text = None
            else:
                self.text += piece

    def _take_escape(self, unit: int) -> None:
        text = self.text
        if self._mode == CAPTURE and 0xDC00 <= unit < 0xE000 and text is not None and len(text) >= 3:
            first, second, third = text[-3:]
            if first == 0xED and second & 0xF0 == 0xA0:  # a high surrogate; raw ones are refused, so from an escape
                del text[-3:]
                unit = 0x10000 + ((second & 0x0F) << 16 | (third & 0x3F) << 10) + (unit - 0xDC00)
        self._take(chr(unit).encode("utf-8", "surrogatepass"))

    def _read_string(self, chunk: bytes, at: int, end: int) -> int:
        while at < end:
            byte = chunk[at]
            if self._utf8_left:
                if not self._low <= byte <= self._high:
                    break
                self._utf8_left -= 1
                self._low, self._high = 0x80, 0xBF
                self._take(chunk[at : at + 1])
                at += 1
                continue
            found = _PLAIN.match(chunk, at, end)
            assert found is not None  # the pattern matches nothing too
            self._take(found[0])
            at = found.end()
            if at == end:
                return at
            byte = chunk[at]
            if byte == 0x22:
                self._end_string(at + 1)
                return at + 1
            if byte == 0x5C:
                self.state = ESCAPE
                return at + 1
            self._utf8_left, self._low, self._high = _utf8_due(byte)
            if not self._utf8_left:
                break
            self._take(chunk[at : at + 1])
            at += 1
        if at < end:
            self.state = FAILED
        return at

    def _begin_string(self, *, is_key: bool, mode: int) -> None:
        self.state, self._is_key, self._mode = STRING, is_key, mode
        self.text = bytearray()
        self.counted = 0

    def _end_string(self, at: int) -> None:
        self.state = COLON if self._is_key else NEXT
        if self._is_key:
            self.on_key(at)
        else:
            self.on_string(at)

    def _inner_byte(self, byte: int) -> bool:
        """One byte of an escape or of a literal."""
        if self.state == ESCAPE:
            if byte == 0x75:
                self.state, self._hex = HEX, ""
            elif byte in _ESCAPES:
                self.state = STRING
                self._take(_ESCAPES[byte])
            else:
                self.state = FAILED
        elif self.state == HEX:
            if byte not in b"0123456789abcdefABCDEF":
                self.state = FAILED
            else:
                self._hex += chr(byte)
                if len(self._hex) == 4:
                    self.state = STRING
                    self._take_escape(int(self._hex, 16))
        elif byte != self._literal[0]:
            self.state = FAILED
        else:
            self._literal = self._literal[1:]
            if not self._literal:
                self.state = NEXT
        return self.state != FAILED

    def _number_byte(self, byte: int) -> bool:
        """False, with the state set, if the byte is no part of the number."""
        part = _number_next(self._part, byte)
        if part >= 0:
            if part == _WHOLE and self.plain:
                number = self.number * 10 + byte - 0x30
                self.plain = number <= INT64_MAX
                self.number = number if self.plain else 0
            elif part in (_POINT, _EXPONENT):
                self.plain = False
            self._part = part
            return True
        # A digit after a leading zero is refused here; every other byte is judged as what follows a value.
        if self._part in _NUMBER_ENDS and byte not in _DIGITS:
            self.state = NEXT
            self.on_number()
        else:
            self.state = FAILED
        return False

    def _structure(self, byte: int, at: int) -> bool:
        """False, with the state FAILED, if this byte may not stand here. No white space."""
        state = self.state
        if state == NEXT:
            in_object = self._objects[-1]
            if byte == 0x2C:
                self.state = KEY if in_object else VALUE
            elif byte == (0x7D if in_object else 0x5D):
                self._close()
            else:
                self.state = FAILED
        elif state == COLON:
            self.state = VALUE if byte == 0x3A else FAILED
        elif state in (KEY, KEY_OR_END):
            if byte == 0x22:
                self._begin_string(is_key=True, mode=CAPTURE)
            elif byte == 0x7D and state == KEY_OR_END:
                self._close()
            else:
                self.state = FAILED
        elif state == VALUE_OR_END and byte == 0x5D:
            self._close()
        elif state == START and byte != 0x7B:
            self.state = FAILED
        else:
            self._begin_value(byte, at)
        return self.state != FAILED

    def _begin_value(self, byte: int, at: int) -> None:
        if byte == 0x22:
            self._begin_string(is_key=False, mode=self.on_value(at, TEXT))
        elif byte in b"{[":
            if self.depth == DEPTH_MAX:
                self.state = FAILED
                return
            self.on_value(at, OBJECT if byte == 0x7B else ARRAY)
            self._objects.append(byte == 0x7B)
            self.depth += 1
            self.state = KEY_OR_END if byte == 0x7B else VALUE_OR_END
        elif byte in b"-0123456789":
            self.state = NUMBER
            self._part = _MINUS if byte == 0x2D else _ZERO if byte == 0x30 else _WHOLE
            self.plain = byte != 0x2D
            self.number = byte - 0x30 if self.plain else 0
            self.on_value(at, NUMERAL)
        elif byte in _LITERALS:
            kind, self._literal = _LITERALS[byte]
            self.state = LITERAL
            self.on_value(at, kind)
        else:
            self.state = FAILED

    def _close(self) -> None:
        self.on_close()
        self._objects.pop()
        self.depth -= 1
        self.state = NEXT if self.depth else DONE
