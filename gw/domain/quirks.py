"""What an upstream does otherwise than others that speak its dialect: by its provider's table, or by the configuration."""

from typing import Any

from msgspec import Struct, field


class Quirks(Struct, frozen=True):
    """How an upstream differs from the one whose dialect it speaks. Set by its provider's table, or in the configuration."""

    max_tokens_field: str = ""  # the body's field for the cap; "" as the dialect has it
    max_tokens_most: int = 0  # the cap is lowered to this; 0: no bound
    developer_role: bool = False  # system texts go as role "developer"
    system_in_middle: bool = True  # takes system messages between the others
    stream_usage: bool = True  # knows stream_options.include_usage
    parallel_tools: bool = True  # knows parallel_tool_calls
    tools_strict: bool = True  # knows `strict` of a tool
    json_schema: bool = True  # knows response_format json_schema; False: the schema goes into the words of the system prompt
    images: bool = True
    documents: bool = True
    # how thinking is asked for: "reasoning_effort", "thinking", "reasoning", "enable_thinking"; "" as usual, "no" never
    thinking: str = ""
    reasoning_field: str = ""  # where a chat answer has its thoughts: "reasoning_content", "reasoning"; "" either
    cache_marks: bool = False  # takes cache_control on chat content (OpenRouter)
    fields_dropped: tuple[str, ...] = ()  # names of top-level fields that it does not know
    usage_of: str = ""  # whose reader of usage (gw.providers.usage_dialects); "" the provider's own name
    extra: dict[str, Any] = field(default_factory=dict)  # put into each body, unless the client has it
    # of upstreams that speak the OpenAI chat dialect
    efforts: tuple[str, ...] = ()  # levels of thinking that it knows, of others the nearest is taken; () all
    plain_models: tuple[str, ...] = ()  # how names of its models begin that do not think: they are asked for no thinking
    fixed_sampling: bool = False  # a model that thinks takes neither temperature nor penalties
    # under which name thoughts of earlier turns go back: "reasoning_content", "reasoning", "reasoning_details", "thinking"
    thoughts_back: str = ""
    tool_id_size: int = 0  # ids of tool calls have exactly so many letters and digits (Mistral); 0: any
    custom_tools: bool = False  # knows tools of type "custom"; False: they become functions with one text
    stop_most: int = 4  # stop sequences in one request
    top_k: bool = False  # knows top_k
    seed_field: str = "seed"
    user_field: str = "user"
    cache_key: bool = False  # knows prompt_cache_key
