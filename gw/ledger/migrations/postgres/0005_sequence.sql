-- seq: the order in which rows came; given by the one writer, never given twice. It was called rowid before, without that promise.
-- meta.call_seq is the highest number ever given: it outlives the rows.
ALTER TABLE call RENAME COLUMN rowid TO seq;
DROP INDEX call_rowid;
CREATE UNIQUE INDEX call_seq ON call (seq, started_us);
INSERT INTO meta (name, value) SELECT 'call_seq', max(seq) FROM call HAVING max(seq) IS NOT NULL;
