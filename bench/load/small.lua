-- The published "small" shape: a 1 KB JSON request, as Claude Code would send it.
local text = string.rep("x", 800)
wrk.method = "POST"
wrk.path = "/v1/messages?beta=true"
wrk.body = '{"model":"claude-opus-5-5","max_tokens":64,"messages":[{"role":"user","content":"' .. text .. '"}],"metadata":{"user_id":"{\\"device_id\\":\\"00\\",\\"session_id\\":\\"s\\"}"}}'
wrk.headers["content-type"] = "application/json"
wrk.headers["accept"] = "application/json"
wrk.headers["user-agent"] = "claude-cli/2.1.329 (external, sdk-cli)"
wrk.headers["anthropic-version"] = "2023-06-01"
wrk.headers["x-claude-code-session-id"] = "e161b7f3-7f4d-48ad-bb52-659c714a4bf6"
wrk.headers["x-api-key"] = os.getenv("BENCH_KEY")

done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
