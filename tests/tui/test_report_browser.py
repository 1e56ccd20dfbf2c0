"""The report in a real browser: by eye, by keyboard, by ear, on a phone, at night and on paper."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from db.store import Store
from tests.studies import FakeClock, located
from tests.tui.test_report import cast
from tests.waiting import PATIENCE
from tui.cli import run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
QUIET = (
    "--headless --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    "--disable-component-update --disable-quic --disable-dev-shm-usage --remote-debugging-port=0"
).split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine"),
]


class Browser:
    """One tab of a browser, told what to do over its debugging socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    async def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await asyncio.wait_for(self._socket.receive_json(), PATIENCE)
            if message.get("id") == number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer
            self.events.append(message)

    async def see(self, script: str) -> Any:
        """What an expression is worth on the page."""
        answer = await self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def open(self, page: Path) -> None:
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            await self.tell(f"{domain}.enable")
        await self.tell("Page.navigate", url=page.as_uri())
        deadline = time.monotonic() + PATIENCE
        while await self.see("document.readyState") != "complete":
            assert time.monotonic() < deadline, "the page never came up"
            await asyncio.sleep(0.05)

    async def press(self, key: str, code: int) -> None:
        keys = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        if key == "Enter":
            keys["text"] = "\r"
        await self.tell("Input.dispatchKeyEvent", type="keyDown", **keys)
        await self.tell("Input.dispatchKeyEvent", type="keyUp", **keys)


@contextlib.asynccontextmanager
async def browsing(page: Path, home: Path) -> AsyncIterator[Browser]:
    assert BROWSER is not None
    # As root, in a container, a browser has no sandbox of its own to start.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [BROWSER, *QUIET, *sandbox, f"--user-data-dir={home}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = home / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (told.exists() and told.read_text()):
            assert process.poll() is None, "the browser ended"
            assert time.monotonic() < deadline, "the browser never came up"
            await asyncio.sleep(0.05)
        port = told.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://127.0.0.1:{port}/json/new") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                await browser.open(page)
                yield browser
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with charts of every kind, and names that would break a page if they could."""
    from core.records import Answer, Question
    from db.pairs import make

    folder = tmp_path_factory.mktemp("report")
    clock = FakeClock()
    models = ("<script>alert(1)</script>", "bee & co", "a-very-long-name-" * 6, "ant")
    with Store(folder / "study.db", create=True, clock=clock) as store:
        store.fix_seed("a fixed seed")
        store.set({"dwell_ms": 0})
        records = [
            record
            for number in range(16)
            for record in (
                Question(f"q{number}", (f"q{number}?",), ("maths", "\u202ewriting")[number % 2]),
                *(Answer(f"q{number}", model, (f"{model} {number}",)) for model in models),
            )
        ]
        store.ingest.take(located(records))
        make(store, overlap=2)
    cast(folder / "study.db", clock, "ann", 96)
    cast(folder / "study.db", clock, "bob", 96)
    out = folder / "out.html"
    for words in (
        ["judge", "add", "longer", "--baseline", "longer-answer"],
        ["judge", "run", "longer"],
        ["report", str(out)],
    ):
        assert run(["--db", str(folder / "study.db"), *words]) == 0
    return out


async def test_it_loads_nothing_and_runs_nothing(page: Path, tmp_path: Path) -> None:
    async with browsing(page, tmp_path) as browser:
        asked = [
            event["params"]["request"]["url"]
            for event in browser.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        assert asked == [page.as_uri()]
        said = [
            e
            for e in browser.events
            if e.get("method")
            in ("Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")
        ]
        assert said == []
        assert await browser.see("document.scripts.length") == 0
        text = await browser.see("document.body.innerText")
        assert "<script>alert(1)</script>" in text
        assert "bee & co" in text
        assert "⟨202E⟩writing" in text


async def test_it_can_be_heard(page: Path, tmp_path: Path) -> None:
    async with browsing(page, tmp_path) as browser:
        nodes = (await browser.tell("Accessibility.getFullAXTree"))["nodes"]
        heard: dict[str, list[str]] = {}
        for node in nodes:
            if not node.get("ignored"):
                role, name = node["role"]["value"], node.get("name", {}).get("value", "")
                heard.setdefault(role, []).append(name)
        tables = await browser.see("document.querySelectorAll('table').length")
        charts = await browser.see("document.querySelectorAll('svg').length")
        assert charts >= 6
        assert len(heard["table"]) == tables
        assert all(heard["table"])
        pictures = [name for role in ("image", "img") for name in heard.get(role, [])]
        assert len(pictures) == charts
        assert all(pictures)
        assert len(heard["main"]) == len(heard["navigation"]) == 1
        assert len(heard["columnheader"]) >= 3 * tables
        assert all(heard["rowheader"])
        levels = await browser.see(
            "[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])"
        )
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    page: Path, tmp_path: Path
) -> None:
    async with browsing(page, tmp_path) as browser:
        await browser.press("Tab", 9)
        assert await browser.see("document.activeElement.className") == "skip"
        assert await browser.see("document.activeElement.getBoundingClientRect().left >= 0")
        await browser.press("Enter", 13)
        assert await browser.see("location.hash") == "#content"
        await browser.press("Tab", 9)
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert await browser.see(inside)
        width = "getComputedStyle(document.activeElement).outlineWidth"
        assert await browser.see(width) == "3px"


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_it_fits_whatever_it_is_read_on(page: Path, tmp_path: Path, width: int) -> None:
    async with browsing(page, tmp_path) as browser:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        await browser.tell("Emulation.setDeviceMetricsOverride", **size)
        assert await browser.see("document.documentElement.scrollWidth") <= width


_CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => {
    v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const paper = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
  let worst = 99;
  for (const e of document.querySelectorAll('p, td, th, li, h1, h2, h3, dt, dd, a, summary')) {
    const [a, b] = [light(getComputedStyle(e).color), light(paper(e))];
    worst = Math.min(worst, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
  }
  return worst;
})()
"""
"""The least contrast of any text with what it stands on, as WCAG 2 counts it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_by_day_and_by_night(page: Path, tmp_path: Path, scheme: str) -> None:
    async with browsing(page, tmp_path) as browser:
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        await browser.tell("Emulation.setEmulatedMedia", features=wanted)
        assert await browser.see(_CONTRAST) >= 4.5


async def test_it_prints_whole(page: Path, tmp_path: Path) -> None:
    async with browsing(page, tmp_path) as browser:
        await browser.tell("Emulation.setEmulatedMedia", media="print")
        shown = "getComputedStyle(document.querySelector('nav')).display"
        assert await browser.see(shown) == "none"
        hidden = "[...document.querySelectorAll('main td')].filter(e => !e.offsetHeight).length"
        assert await browser.see(hidden) == 0
        # A4 without its margins; what is wider would be cut, or shrink all else.
        size = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        await browser.tell("Emulation.setDeviceMetricsOverride", **size)
        assert await browser.see("document.documentElement.scrollWidth") <= 720
        printed = await browser.tell("Page.printToPDF", printBackground=False)
        paper = base64.b64decode(printed["data"])
        assert paper.startswith(b"%PDF")
        assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") >= 3
