"""Who watches, signs and tells: the courier's duties for alerts, the audit and the SIEM. What they need is loaded
when they run."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from gw.config.alert_model import Siem
from gw.config.model import Config
from gw.courier import Desk, Duty
from gw.ledger.errand import Errand

ALERT_TEST = "alert_test"


def appoint(config: Config) -> Iterable[Duty]:
    audit = config.audit, config.storage.retention_months, config.auth.pepper
    yield Duty("audit", audit, lambda desk: _audit(desk, config), pressing=config.audit.ledger)
    for siem in config.siem:
        if siem.url.missing or siem.secret.missing:
            continue  # said when the configuration was read; nothing goes out unsigned that is to be signed
        yield Duty(f"siem {siem.name}", siem, _siem(siem))
    if any(alert.active for alert in config.alert):
        yield Duty("alerts", (config.alerts, config.alert, config.notify), lambda desk: _alerts(desk, config))
    if config.notify:
        yield Duty("notices", config.notify, lambda desk: _notices(desk, config))


async def _audit(desk: Desk, config: Config) -> None:
    from gw.audit_keeping import keep  # noqa: PLC0415

    await keep(desk, config.audit, config.storage.retention_months)


def _siem(siem: Siem) -> Callable[[Desk], Awaitable[None]]:
    async def run(desk: Desk) -> None:
        from gw.audit_push import push  # noqa: PLC0415

        await push(desk, siem)

    return run


async def _alerts(desk: Desk, config: Config) -> None:
    from gw.alerting import watch  # noqa: PLC0415
    from gw.alerts.look import Settings  # noqa: PLC0415

    await watch(desk, Settings(config.alerts, config.alert, config.notify))


async def _notices(desk: Desk, config: Config) -> None:
    from gw.alerting import send  # noqa: PLC0415

    await send(desk, config.notify)


async def _try_out(desk: Desk, errand: Errand) -> dict[str, Any]:
    from gw.alerting import try_out  # noqa: PLC0415

    return await try_out(desk, errand)


ERRANDS = {ALERT_TEST: _try_out}
