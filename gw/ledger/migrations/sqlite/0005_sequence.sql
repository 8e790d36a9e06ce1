-- seq: the order in which rows came; given by the one writer, never given twice. Rows that are there have come in the order of
-- their rowid. meta.call_seq is the highest number ever given: it outlives the rows.
ALTER TABLE call ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
UPDATE call SET seq = rowid;
CREATE UNIQUE INDEX call_seq ON call (seq);
INSERT INTO meta (name, value) SELECT 'call_seq', max(seq) FROM call HAVING max(seq) IS NOT NULL;
