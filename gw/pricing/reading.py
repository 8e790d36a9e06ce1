"""What the tap had read of a call, from its row of the ledger: to price it again, and to say why it cost what it did."""

import msgspec

from gw.domain.call import CallRecord
from gw.domain.usage import Iteration, Reading, Usage

_iterations = msgspec.json.Decoder(tuple[Iteration, ...])


def reading_of(record: CallRecord) -> Reading:
    """What was billed, as the tap had read it. Raises msgspec.MsgspecError."""
    usage = Usage(
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_5m_tokens=record.cache_write_5m_tokens,
        cache_write_1h_tokens=record.cache_write_1h_tokens,
        thinking_tokens=record.thinking_tokens,
        web_search_requests=record.web_search_requests,
        web_fetch_requests=record.web_fetch_requests,
        code_execution_requests=record.code_execution_requests,
        service_tier=record.service_tier,
        speed=record.speed,
        inference_geo=record.inference_geo,
        iterations=_iterations.decode(record.iterations) if record.iterations else (),
    )
    return Reading(
        usage=usage,
        started=True,
        finished=True,
        final_usage=True,
        model=record.served_model,
        stop_reason=record.stop_reason,
        content_empty="refusal_free" in record.usage_flags.split(","),
    )
