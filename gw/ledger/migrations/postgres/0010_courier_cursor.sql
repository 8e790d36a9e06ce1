-- How far each duty of the courier has come: the greatest call.seq (or other running number) that it has dealt with.
CREATE TABLE courier_cursor (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);
