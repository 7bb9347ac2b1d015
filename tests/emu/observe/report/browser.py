"""Drives a headless Chromium by the DevTools protocol over pipes: JSON messages that NUL ends."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 240
"""Time limit for an answer, enough for a busy machine."""
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
    *("--remote-debugging-pipe", "--force-device-scale-factor=1"),
)

_START = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]]
for given, target in zip(ours, (3, 4)):
    os.dup2(given, target)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads commands at descriptor 3 and answers at 4."""


def find() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


class PageError(Exception):
    """A script failed, or the browser gave no answer."""


class Browser:
    """One browser process; a context manager that ends it."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_us, their_write = os.pipe()
        their_read, to_them = os.pipe()
        words = [program, *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(their_read), str(their_write), *words],
            pass_fds=(their_read, their_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
            start_new_session=True,
        )
        os.close(their_read)
        os.close(their_write)
        self._read, self._write = to_us, to_them
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._read)
        self._profile.cleanup()

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its result; events in between are collected."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
            data = os.read(self._read, 1 << 20) if ready else b""
            if not data:
                raise PageError("the browser does not answer")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def take_events(self, session: str) -> list[dict[str, Any]]:
        mine = [event for event in self._events if event.get("sessionId") == session]
        self._events = [event for event in self._events if event.get("sessionId") != session]
        return mine

    def open(
        self,
        file: Path,
        width: int = 1280,
        height: int = 800,
        *,
        dark: bool = False,
        script: str = "",
    ) -> Page:
        """Opens a page of the file and waits until it reports ready; ``script`` runs before its
        own.
        """
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"], target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        page.theme(dark=dark)
        page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        page.send("Page.navigate", url=file.resolve().as_uri())
        page.wait("typeof app === 'object' && app.ready === true")
        page.wait_for_drawing()
        return page


class Page:
    """A tab. ``problems`` has messages of the console, and requests to the network."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self._events: list[dict[str, Any]] = []

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **parameters)

    def close(self) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def theme(self, *, dark: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def value(self, script: str) -> Any:
        """Value of an expression, or of its promise."""
        done = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        until = time.monotonic() + SECONDS
        while not self.value(condition):
            if time.monotonic() > until:
                raise PageError(f"did not become true: {condition}")
            time.sleep(0.05)

    def wait_for_drawing(self) -> None:
        """Waits until the requested drawing is finished."""
        self.value(
            "new Promise((done) => "
            "requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
        )

    def press(self, key: str, times: int = 1) -> None:
        """Presses and releases a key; a single letter is typed."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13}
        codes |= {"Tab": 9, "Home": 36, "End": 35}
        code = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        for _ in range(times):
            common = {"key": key, "windowsVirtualKeyCode": code}
            kind = "keyDown" if text else "rawKeyDown"
            self.send("Input.dispatchKeyEvent", type=kind, text=text, **common)
            self.send("Input.dispatchKeyEvent", type="keyUp", **common)
        self.wait_for_drawing()

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.wait_for_drawing()

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    @property
    def problems(self) -> list[str]:
        """Console messages, exceptions, and requests for anything but the file itself."""
        self.value("1")
        self._events += self._browser.take_events(self._session)
        return [text for event in self._events if (text := _problem(event))]


def _problem(event: dict[str, Any]) -> str | None:
    what = event.get("params", {})
    match event.get("method"):
        case "Runtime.exceptionThrown":
            return f"exception: {what['exceptionDetails']}"
        case "Runtime.consoleAPICalled":
            return f"console: {what['args']}"
        case "Log.entryAdded":
            return f"log: {what['entry']['text']}"
        case "Network.requestWillBeSent":
            url = what["request"]["url"]
            return None if url.startswith(("file:", "data:")) else f"request: {url}"
    return None
