"""What the courier does about telemetry, as the configuration asks for it. Nothing heavy is loaded before a duty runs."""

import platform
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from gw.config.model import Config
from gw.config.telemetry_model import ClaudeTelemetry
from gw.courier import Desk, Duty
from gw.telemetry.attributes import places_of

if TYPE_CHECKING:
    from gw.telemetry.otel import MetricsTeller


class ExtraMissing(OSError):
    """A library that only this duty needs is not installed."""


def appoint(config: Config) -> Iterable[Duty]:
    """For gw.courier_main."""
    if config.otel.endpoint:
        yield from _otel(config)
    yield from _datadog(config)
    if config.claude_telemetry.enabled:
        yield from _claude(config.claude_telemetry)


def _otel(config: Config) -> Iterable[Duty]:
    otel, places, instance = config.otel, places_of(config.upstream), platform.node()
    teller: MetricsTeller | None = None  # one for all the times that the duty is begun again

    async def tell_calls(desk: Desk) -> None:
        part = _otlp()
        await part.tell_calls(part.Settings(otel, places, instance), desk.database)

    async def tell_metrics(desk: Desk) -> None:
        nonlocal teller
        part = _otlp()
        if teller is None:
            teller = part.MetricsTeller(part.Settings(otel, places, instance))
        await teller.run(desk.database)

    made_of = (otel, places)
    if otel.traces or otel.logs:
        yield Duty("otel", made_of, tell_calls)
    if otel.metrics:
        yield Duty("otel-metrics", made_of, tell_metrics)


def _otlp() -> ModuleType:
    try:
        from gw.telemetry import otel  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing(f"[otel] needs libraries that are not installed ({error}): pip install 'gw[otel]'") from error
    return otel


def _datadog(config: Config) -> Iterable[Duty]:
    datadog, places = config.datadog, places_of(config.upstream)

    async def tell_spans(desk: Desk) -> None:
        from gw.telemetry import datadog as part  # noqa: PLC0415 - what sends is loaded where it is needed

        await part.tell_spans(part.Settings(datadog, places), desk.database)

    async def tell_statsd(desk: Desk) -> None:
        from gw.telemetry import datadog as part  # noqa: PLC0415 - likewise

        await part.tell_statsd(part.Settings(datadog, places), desk.database)

    if datadog.api_key or datadog.api_key.missing:
        yield Duty("datadog", (datadog, places), tell_spans)
    if datadog.statsd_host or datadog.statsd_socket:
        yield Duty("datadog-statsd", (datadog, places), tell_statsd)


def _claude(settings: ClaudeTelemetry) -> Iterable[Duty]:
    async def keep(desk: Desk) -> None:
        from gw.telemetry.reports import Keeper  # noqa: PLC0415 - likewise

        await Keeper(settings, desk.state_dir, desk.database).run()

    async def forward(desk: Desk) -> None:
        from gw.telemetry.reports import Forwarder  # noqa: PLC0415 - likewise

        await Forwarder(settings, desk.state_dir, desk.database).run()

    yield Duty("claude-telemetry", settings, keep)
    if settings.forward_url:
        yield Duty("claude-telemetry-forward", settings, forward)

