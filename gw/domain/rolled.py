"""What is kept of calls in sums, and exported of them: by which dimensions, and which figures."""

OF_ROW = (
    "customer",
    "team",
    "key_id",
    "key_name",
    "credential",
    "upstream",
    "requested_model",
    "served_model",
    "project",
    "device",
    "outcome",
    "status",
    "error",
    "service_tier",
    "speed",
    "inference_geo",
)
DIMENSIONS = (*OF_ROW, "context", "kind")
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "thinking_tokens",
)
TOOLS = ("web_search_requests", "web_fetch_requests", "code_execution_requests")
AMOUNTS = (
    "list_pusd",
    "billed_pusd",
    "input_pusd",
    "output_pusd",
    "cache_read_pusd",
    "cache_write_5m_pusd",
    "cache_write_1h_pusd",
    "tools_pusd",
    "other_pusd",
)
