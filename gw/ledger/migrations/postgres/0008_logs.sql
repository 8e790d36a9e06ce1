-- What the log is looked through by (gw/ledger/log_sql.py). The wide ones hold what is asked for most, so that a walk through them
-- looks up no rows; partial ones leave out what nearly all calls have in common. `model` is the expression of the API's column.
DROP INDEX call_ended;
DROP INDEX call_team_ended;
CREATE INDEX call_log ON call (
    ended_us, seq, team, key_name, served_model, requested_model, outcome, status, project, upstream, billed_pusd,
    started_us, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
);
CREATE INDEX call_log_team ON call (team, ended_us, seq, served_model, requested_model, outcome, status);
CREATE INDEX call_log_key ON call (key_name, ended_us, seq, team, served_model, requested_model, outcome, status);
CREATE INDEX call_log_model ON call ((CASE WHEN served_model <> '' THEN served_model ELSE requested_model END), ended_us);
CREATE INDEX call_log_customer ON call (customer, ended_us) WHERE customer <> '';
CREATE INDEX call_log_project ON call (project, ended_us) WHERE project <> '';
CREATE INDEX call_log_tags ON call (tags, ended_us) WHERE tags <> '';
CREATE INDEX call_log_status ON call (
    status, ended_us, seq, team, key_name, served_model, requested_model, outcome, project
) WHERE status <> 200;
CREATE INDEX call_log_outcome ON call (
    outcome, ended_us, seq, team, key_name, served_model, requested_model, status, project
) WHERE outcome <> 'completed';
CREATE INDEX call_log_error ON call (
    error, ended_us, seq, team, key_name, served_model, requested_model, outcome, status, project
) WHERE error <> '';
CREATE INDEX call_log_request ON call (upstream_request_id) WHERE upstream_request_id <> '';
-- Those of half a dollar and more.
CREATE INDEX call_log_dear ON call (
    billed_pusd, seq, ended_us, team, key_name, served_model, requested_model, outcome, status, project
) WHERE billed_pusd >= 500000000000;
