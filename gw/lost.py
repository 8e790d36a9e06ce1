"""Calls whose worker died: settled at what its tap had observed, by the process that outlived it."""

from msgspec.structs import astuple, replace

from gw import clock
from gw.domain.call import CallRecord
from gw.domain.estimate import complete
from gw.domain.price import Priced
from gw.domain.usage import Reading
from gw.ledger.frames import SegmentHeader
from gw.ops.state import StateFile, read_slot
from gw.settle import flags_of
from gw.snapshot import Snapshot
from gw.wire.anthropic import reading_from_memory

TOKENS_MAX = 1 << 40  # of any class in one call; more is no observation but damage


class LostCalls:
    """`settle` is pure but for reading the state file; the caller sees to it that its result is stored exactly once."""

    def __init__(self, state: StateFile | None) -> None:
        self.state = state
        self.snapshot: Snapshot | None = None  # whose prices apply; the publisher keeps it current

    def settle(self, record: CallRecord, slot: int, header: SegmentHeader) -> CallRecord:
        """The final record of a call that was begun and never ended. Outcome "stopped", error "worker_died"."""
        reading = self._observed(record.call_id, slot, header)
        reading, source = complete(reading, model=record.requested_model, request_bytes=record.request_bytes)
        priced = self._price(record, reading)
        usage = reading.usage
        return replace(
            record,
            ended_us=max(clock.wall_us(), record.started_us),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            thinking_tokens=usage.thinking_tokens,
            web_search_requests=usage.web_search_requests,
            web_fetch_requests=usage.web_fetch_requests,
            code_execution_requests=usage.code_execution_requests,
            speed=usage.speed,
            inference_geo=usage.inference_geo,
            usage_source=source,
            usage_flags=flags_of(reading, priced),
            list_pusd=priced.list_pusd,
            billed_pusd=priced.billed_pusd,
            input_pusd=priced.input_pusd,
            output_pusd=priced.output_pusd,
            cache_read_pusd=priced.cache_read_pusd,
            cache_write_5m_pusd=priced.cache_write_5m_pusd,
            cache_write_1h_pusd=priced.cache_write_1h_pusd,
            tools_pusd=priced.tools_pusd,
            other_pusd=priced.other_pusd,
            price_version=priced.price_version,
            at_most_nusd=0 if source == "exact" else record.at_most_nusd,
        )

    def _observed(self, call_id: str, slot: int, header: SegmentHeader) -> Reading:
        block = block_of(header)
        if self.state is None or block is None:
            return Reading()
        memory = read_slot(self.state, block, slot, call_id)
        try:
            reading = reading_from_memory(memory) if memory is not None else Reading()
        except ValueError:  # the slot was taken, but its tap had not begun
            return Reading()
        counts = [count for count in (*astuple(reading.usage), reading.text_bytes) if isinstance(count, int)]
        return reading if min(counts) >= 0 and max(counts) <= TOKENS_MAX else Reading(garbled=True)

    def _price(self, record: CallRecord, reading: Reading) -> Priced:
        snapshot = self.snapshot
        assert snapshot is not None, "prices are loaded before any call is settled"
        deployment = next((one for one in snapshot.deployments if one.name == record.upstream), None)
        return snapshot.book.price(
            provider=deployment.provider if deployment is not None else "anthropic",
            upstream=record.upstream,
            region=deployment.region if deployment is not None else "",
            model=record.sent_model or record.requested_model,
            reading=reading,
            at_us=record.started_us,
            key=record.key_name,
            team=record.team,
        )


def block_of(header: SegmentHeader) -> int | None:
    """The worker's block in the state file, which its name begins with."""
    number = header.worker.split("-", 1)[0]
    return int(number) if number.isdigit() else None
