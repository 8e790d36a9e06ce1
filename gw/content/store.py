"""What goes into the content store and comes out of it: requests, answers, and which calls there are.

Written by the courier alone; read by anybody. Synchronous: call it in a thread.
"""

import zlib
from typing import NamedTuple

import msgspec

from gw.config.content_model import Content
from gw.content import answers, words
from gw.content.blocks import FRAME, TEXT, Reader, Shelf
from gw.content.redact import Redactor, rules_of
from gw.content.slices import cut
from gw.content.spool import ANSWER, DROPPED, Note
from gw.content.spooled import Sent
from gw.content.vault import ContentError, Kept, Vault, vault_of
from gw.ledger.content import ContentDatabase, count, mark, numbered
from gw.ledger.store import Connection

DECODED_MAX = 256 << 20
LAST_CALL = "last_call"

_CALL = (
    "SELECT id, call_id, started_us, key_id, key_name, team, session_id, request_block, request_bytes, request_problem, "
    "answer_block, answer_bytes, answer_problem FROM content_call"
)
_PUT_CALL = (
    "INSERT INTO content_call (id, call_id, started_us, key_id, key_name, team, session_id, request_block, request_bytes, "
    "request_problem, answer_block, answer_bytes, answer_problem) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', 0, 0, '')"
)
_PUT_WORDS = "INSERT INTO content_words (id, words) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET words = excluded.words"


class CallRow(NamedTuple):
    """One call of which content is, or should be, kept. A problem: why there is none (too_large, spool_full, spool_failed;
    unreadable: compressed so that no rule could look into it)."""

    id: int
    call_id: str
    started_us: int
    key_id: str
    key_name: str
    team: str
    session_id: str
    request_block: int
    request_bytes: int
    request_problem: str
    answer_block: int
    answer_bytes: int
    answer_problem: str


class Keeper:
    """Takes in what workers have sent. `secret` (16 to 64 bytes) keys the hashes."""

    def __init__(self, content: Content, secret: bytes, database: ContentDatabase) -> None:
        """Raises ContentError."""
        self._content = content
        self._database = database
        self._vault = vault_of(content)
        self._shelf = Shelf(self._vault, secret)
        self._redactor = Redactor(rules_of(content))

    def open(self, data: bytes, kind: bytes) -> bytes:
        """What a worker has encrypted. Raises ContentError."""
        return self._vault.unseal(data, kind)

    def begin(self, db: Connection) -> None:
        self._shelf.begin(db)

    def end(self, db: Connection) -> None:
        self._shelf.end(db)

    def doubt(self) -> None:
        """The transaction was not kept."""
        self._shelf.doubt()

    def take(self, db: Connection, sent: Sent) -> None:
        """The same again changes nothing."""
        note = sent.note
        if sent.kind == DROPPED:
            self._dropped(db, note)
        elif sent.kind == ANSWER:
            row = self._row(db, note)
            answer = decoded(sent.body, note.encoding)
            if answer is None and self._redactor.rules:
                self._dropped(db, msgspec.structs.replace(note, what="answer", reason="unreadable"))
                return
            block, text = self._answer(db, sent.body if answer is None else answer)
            db.execute("UPDATE content_call SET answer_block = ?, answer_bytes = ? WHERE id = ?", (block, note.size, row.id))
            if not row.answer_block:
                self._index(db, row.id, text)
        else:
            row = self._row(db, note)
            text = self._new_words(db, row, sent.body)
            block = self._request(db, sent.body)
            db.execute("UPDATE content_call SET request_block = ?, request_bytes = ? WHERE id = ?", (block, note.size, row.id))
            if not row.request_block:
                self._index(db, row.id, text)

    def _row(self, db: Connection, note: Note) -> CallRow:
        found = call_row(db, note.call_id)
        if found is not None:
            return found
        last = numbered(db, LAST_CALL) + 1
        mark(db, LAST_CALL, last)
        db.execute(_PUT_CALL, (last, note.call_id, note.started_us, note.key_id, note.key_name, note.team, note.session_id))
        added = call_row(db, note.call_id)
        assert added is not None
        return added

    def _dropped(self, db: Connection, note: Note) -> None:
        row = self._row(db, note)
        which = "answer" if note.what == "answer" else "request"
        if not (row.answer_problem if which == "answer" else row.request_problem):
            count(db, f"dropped_{note.reason}", 1)
            count(db, "dropped_bytes", note.size)
        db.execute(
            f"UPDATE content_call SET {which}_problem = ?, {which}_bytes = ? WHERE id = ?",  # noqa: S608 - our own words
            (note.reason, note.size, row.id),
        )

    def _request(self, db: Connection, body: bytes) -> int:
        if self._redactor.rules:
            numbers = self._shelf.put_through(db, cut(body, whole_strings=True), self._redactor.part)
        else:
            numbers = self._shelf.put(db, cut(body))
        return self._shelf.put_list(db, numbers) if numbers else 0

    def _answer(self, db: Connection, answer: bytes) -> tuple[int, str]:
        """The root, and what there is to be indexed."""
        if not answers.is_stream(answer):
            document = words.parsed(answer)
            content = document.get("content") if isinstance(document, dict) else None
            return self._request(db, answer), "\n".join(words.texts(content, tool_results=False))
        apart = answers.apart(answer)
        if self._redactor.rules:
            apart = redacted(apart, self._redactor)
        frame, literals = answers.framed(apart)
        numbers = self._shelf.put(db, [frame], FRAME) + self._shelf.put(db, literals, TEXT)
        said = [text for text in apart.texts if text.key in {"text", "partial_json"}]
        return self._shelf.put_list(db, numbers), "\n".join(map(spoken, said))

    def _new_words(self, db: Connection, row: CallRow, body: bytes) -> str:
        if not self._content.searches or row.request_block:
            return ""
        before = "SELECT 1 FROM content_call WHERE session_id = ? AND id < ? LIMIT 1"
        first = not row.session_id or db.execute(before, (row.session_id, row.id)).fetchone() is None
        return words.said(body, tool_results=self._content.search_tool_results, whole=first)

    def _index(self, db: Connection, id_: int, text: str) -> None:
        """Request and answer of a call are one entry, whichever comes first."""
        found = words.words(self._redactor.text(text)) if self._content.searches and text else ""
        if not found:
            return
        before = words_of(db, self._vault, id_)
        if before:
            self._database.forget(db, [(id_, before)])
            found = f"{before} {found}"
        db.execute(_PUT_WORDS, (id_, self._vault.close(found.encode(), b"", secret=False).data))
        self._database.index(db, [(id_, found)])


def redacted(apart: answers.Apart, redactor: Redactor) -> answers.Apart:
    texts = [text._replace(escaped=redactor.literal(b'"%b"' % text.escaped)[1:-1]) for text in apart.texts]
    apart = answers.changed(apart, texts)
    return apart._replace(betweens=[redactor.plain(one) for one in apart.betweens], rest=redactor.plain(apart.rest))


def spoken(text: answers.Text) -> str:
    """What it says to its reader; of a tool's input, its strings."""
    plain = words.parsed(b'"%b"' % text.escaped)
    if not isinstance(plain, str):
        return ""
    if text.key != "partial_json":
        return plain
    return "\n".join(words.strings(words.parsed(plain.encode("utf-8", "replace"))))


def decoded(answer: bytes, encoding: str) -> bytes | None:
    """As the client's reader sees it; None where that cannot be told."""
    if encoding in ("", "identity"):
        return answer
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    decoder = zlib.decompressobj(47)
    try:
        return decoder.decompress(answer, DECODED_MAX)
    except zlib.error:
        return None


def words_of(db: Connection, vault: Vault, id_: int) -> str:
    """What is indexed of a call."""
    found = db.execute("SELECT words FROM content_words WHERE id = ?", (id_,)).fetchone()
    if found is None:
        return ""
    data = bytes(found[0])
    return vault.open(Kept(int(data.startswith(b"\x28\xb5\x2f\xfd")), 0, data), b"").decode()  # zstd's own mark, or as it is


def call_row(db: Connection, call_id: str) -> CallRow | None:
    found = db.execute(f"{_CALL} WHERE call_id = ?", (call_id,)).fetchone()
    return CallRow(*found) if found is not None else None


def restored(db: Connection, vault: Vault, root: int) -> bytes:
    """A request or an answer, byte by byte as it was kept. Raises ContentError."""
    if not root:
        return b""
    leaves = Reader(db, vault).leaves(root)
    if leaves[0][0] != FRAME:
        return b"".join(text for _, text in leaves)
    try:
        return answers.together(leaves[0][1], [text for _, text in leaves[1:]])
    except ValueError as error:
        raise ContentError(f"an answer is damaged: {error}") from error
