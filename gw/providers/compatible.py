"""Providers that speak OpenAI's Chat Completions, as data: where they are, how they are paid, and what they do otherwise.

What is here is what their documentation says in November 2026; a quirk that the configuration sets wins. Two of them, OpenAI and
Azure, have files of their own. A name that is not here is any other server: an address and a key are enough for it.

`system_in_middle` is off where chat templates of open models are at work: many of them refuse a system message that is not the
first, and Mistral one that is the last.
"""

from typing import Final, Literal

from msgspec import Struct

from gw.domain.quirks import Quirks


class Compatible(Struct, frozen=True):
    """`prefix` stands between the base URL and `/chat/completions`. `key_env`: where its own tools look for the key; ""
    where none is needed. `responses`, `embeddings`, `completions`: it has these, too."""

    base_url: str
    prefix: str = "/v1"
    key_env: str = ""
    auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    quirks: Quirks = Quirks()
    responses: bool = False
    embeddings: bool = False
    completions: bool = False


_OPENAI_ONLY: Final = ("store", "metadata", "prediction", "verbosity", "prompt_cache_key", "prompt_cache_retention")
_OPENAI_ONLY_TOO: Final = ("prompt_cache_options", "safety_identifier", "web_search_options", "modalities", "moderation")
_PLAIN: Final = ("llama", "mixtral", "mistral-7b", "gemma-2", "gemma-3", "qwen2")  # open models that do not think
_SCORES: Final = ("logprobs", "top_logprobs", "logit_bias")
_LOCAL: Final = Quirks(system_in_middle=False, thinking="enable_thinking", top_k=True, documents=False, stop_most=16)

COMPATIBLE: Final[dict[str, Compatible]] = {
    # 400 for logprobs, logit_bias, names of messages and n > 1; usage comes in the last chunk, asked for or not.
    "groq": Compatible(
        "https://api.groq.com",
        "/openai/v1",
        "GROQ_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=("llama", "kimi", "moonshot", "gemma", "allam", "compound"),
            max_tokens_field="max_completion_tokens",
            documents=False,
            efforts=("none", "low", "medium", "high"),
            reasoning_field="reasoning",
            thoughts_back="reasoning",
            fields_dropped=(*_SCORES, "n", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        responses=True,
    ),
    # Ids of tool calls have nine letters; fields that are not known are refused; thoughts are parts of the content.
    "mistral": Compatible(
        "https://api.mistral.ai",
        "/v1",
        "MISTRAL_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=("codestral", "devstral", "ministral", "pixtral", "voxtral", "open-"),
            stream_usage=False,
            documents=False,
            efforts=("none", "high"),
            thoughts_back="thinking",
            max_tokens_field="max_tokens",
            tool_id_size=9,
            seed_field="random_seed",
            fields_dropped=("user", *_SCORES, "service_tier", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        embeddings=True,
    ),
    # Thinks unless told not to, and then wants its thoughts back with the results of tools. No JSON Schema.
    "deepseek": Compatible(
        "https://api.deepseek.com",
        "/v1",
        "DEEPSEEK_API_KEY",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            json_schema=False,
            tools_strict=False,
            parallel_tools=False,
            images=False,
            documents=False,
            thinking="thinking",
            efforts=("low", "high", "max"),
            reasoning_field="reasoning_content",
            thoughts_back="reasoning_content",
            stop_most=16,
            fields_dropped=("seed", "n", "service_tier", "logit_bias", "user", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
    ),
    # Its thinking models refuse penalties and stop sequences.
    "xai": Compatible(
        "https://api.x.ai",
        "/v1",
        "XAI_API_KEY",
        quirks=Quirks(
            plain_models=("grok-2",),
            max_tokens_field="max_completion_tokens",
            documents=False,
            efforts=("none", "low", "medium", "high"),
            reasoning_field="reasoning_content",
            fields_dropped=("frequency_penalty", "presence_penalty", "stop", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        responses=True,
    ),
    "together": Compatible(
        "https://api.together.ai",
        "/v1",
        "TOGETHER_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=_PLAIN,
            documents=False,
            efforts=("low", "medium", "high"),
            top_k=True,
            fields_dropped=("parallel_tool_calls", "service_tier", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        responses=True,
        embeddings=True,
        completions=True,
    ),
    "fireworks": Compatible(
        "https://api.fireworks.ai",
        "/inference/v1",
        "FIREWORKS_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=_PLAIN,
            documents=False,
            efforts=("none", "low", "medium", "high", "xhigh"),
            reasoning_field="reasoning_content",
            thoughts_back="reasoning_content",
            top_k=True,
            fields_dropped=("store", "metadata", "verbosity", "service_tier", *_OPENAI_ONLY_TOO),
        ),
        responses=True,
        embeddings=True,
        completions=True,
    ),
    # Tells what it charges, in every answer; seals thoughts, and wants them back as they were.
    "openrouter": Compatible(
        "https://openrouter.ai",
        "/api/v1",
        "OPENROUTER_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            thinking="reasoning",
            reasoning_field="reasoning",
            thoughts_back="reasoning_details",
            cache_marks=True,
            top_k=True,
        ),
        responses=True,
        embeddings=True,
        completions=True,
    ),
    "cerebras": Compatible(
        "https://api.cerebras.ai",
        "/v1",
        "CEREBRAS_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=_PLAIN,
            max_tokens_field="max_completion_tokens",
            images=False,
            documents=False,
            efforts=("none", "low", "medium", "high"),
            reasoning_field="reasoning",
            fields_dropped=("frequency_penalty", "presence_penalty", "logit_bias", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        completions=True,
    ),
    # Its search models know neither tools nor most of the options; one price is for the search, told with each answer.
    "perplexity": Compatible(
        "https://api.perplexity.ai",
        "/v1",
        "PERPLEXITY_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            parallel_tools=False,
            stream_usage=False,
            fields_dropped=("stop", "seed", "n", "user", *_SCORES, "service_tier", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
        ),
        responses=True,
    ),
    "nebius": Compatible(
        "https://api.tokenfactory.nebius.com",
        "/v1",
        "NEBIUS_API_KEY",
        quirks=Quirks(
            system_in_middle=False,
            plain_models=_PLAIN,
            documents=False,
            efforts=("low", "medium", "high"),
            top_k=True,
            fields_dropped=_OPENAI_ONLY_TOO,
        ),
        embeddings=True,
        completions=True,
    ),
    "huggingface": Compatible(
        "https://router.huggingface.co",
        "/v1",
        "HF_TOKEN",
        quirks=Quirks(
            system_in_middle=False, plain_models=_PLAIN, documents=False, fields_dropped=(*_OPENAI_ONLY, *_OPENAI_ONLY_TOO)
        ),
        responses=True,
    ),
    "parasail": Compatible(
        "https://api.parasail.io",
        "/v1",
        "PARASAIL_API_KEY",
        quirks=_LOCAL,
        embeddings=True,
        completions=True,
    ),
    # Servers of one's own, where they listen unless told otherwise.
    "ollama": Compatible(
        "http://127.0.0.1:11434",
        quirks=Quirks(
            system_in_middle=False,
            documents=False,
            efforts=("none", "low", "medium", "high"),
            reasoning_field="reasoning",
            parallel_tools=False,
            fields_dropped=("user", "n", "logit_bias", "service_tier", *_OPENAI_ONLY, *_OPENAI_ONLY_TOO),
            stop_most=16,
        ),
        responses=True,
        embeddings=True,
        completions=True,
    ),
    "vllm": Compatible("http://127.0.0.1:8000", quirks=_LOCAL, responses=True, embeddings=True, completions=True),
    "sglang": Compatible("http://127.0.0.1:30000", quirks=_LOCAL, responses=True, embeddings=True, completions=True),
}
