"""What axe-core finds wrong with a page for people who do not see it, or use no mouse."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.requires import need

SCRIPT = Path(__file__).parents[2] / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


async def violations(page: Page) -> list[str]:
    """The serious ones, each with the places it stands at."""
    need("axe-core", SCRIPT.is_file(), "npm install --prefix .cache/axe axe-core@4.14.1")
    await page.evaluate(SCRIPT.read_text("utf-8"))  # not by a tag, which the page's policy forbids
    found: list[dict[str, Any]] = await page.evaluate(RUN)
    return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:5]]}" for one in found if one["impact"] in SERIOUS]
