-- How far each duty of the courier has come: the greatest call.seq (or other running number) that it has dealt with.
CREATE TABLE courier_cursor (
    name TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
);
