"""A page of the dashboard as a test uses it."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page, Request

TOKEN = "gwa_the-admin-token-of-the-dashboard"
# What the browser says of each answer that is no: a view shows it, in the words of the API. And its advice.
EXPECTED = ("the server responded with a status of 4", "autocomplete", "Password forms")


class Desk:
    """`complaints`: what the page said to the console, and scripts that failed."""

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self.page = page
        self.address = address
        self.folder = folder
        self.complaints: list[str] = []
        self.asked: list[str] = []  # requests for data, since the last `open`
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._noted)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(known in message.text for known in EXPECTED):
            self.complaints.append(f"{message.type}: {message.text}")

    def _noted(self, request: Request) -> None:
        path = request.url.removeprefix(self.address)
        if path.startswith("/api/") and path.partition("?")[0] != "/api/session":
            self.asked.append(path)

    def must_be_content(self) -> None:
        assert not self.complaints, "\n".join(self.complaints)

    async def sign_in(self, token: str = TOKEN) -> None:
        await self.page.goto(f"{self.address}/ui")
        await self.page.get_by_label("Admin token or virtual key").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("navigation", name="Views").wait_for()

    async def open(self, path: str) -> None:
        """A view, until its data is there."""
        await self.page.goto("about:blank")  # so that nothing of the view before is counted
        self.asked.clear()
        await self.page.goto(f"{self.address}/ui{path}")
        await self.page.get_by_role("heading", level=1).wait_for()
        await self.page.locator('[aria-label="Loading"]').first.wait_for(state="detached")
