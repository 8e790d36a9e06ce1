-- What budgets have used is summed over windows of the instant at which calls were charged, or, in rows from before there
-- were budgets, of their beginning. The same expression as in gw/ledger/spending.py.
CREATE INDEX call_charged ON call ((CASE WHEN charged_us > 0 THEN charged_us ELSE started_us END));
