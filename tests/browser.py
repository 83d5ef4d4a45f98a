"""Drive a headless Chromium by its DevTools protocol over two pipes: no driver, no port, no further package."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = [
    *("--headless", "--no-sandbox", "--remote-debugging-pipe", "--hide-scrollbars"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage", "--no-first-run"),
]
WINDOW = (900, 700)  # pixels
_PATIENCE = 120  # seconds; shared machines stall now and then


class Page:
    """One page: what it said, what it asked of the network, and ways to touch it."""

    def __init__(self, process: subprocess.Popen, commands: int, answers: int) -> None:
        self._process, self._commands, self._answers = process, commands, answers
        self._buffer, self._count, self._session = b"", 0, None
        self.complaints: list[str] = []  # errors and warnings of the console, exceptions
        self.requests: list[str] = []  # addresses that are neither in the file nor the file
        self.downloads: list[str] = []  # file names

    def open(self, page: Path | str) -> None:
        """Show a file, or an address, and wait until its own script says that it is ready."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")
        width, height = WINDOW
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)
        self.wait("window.pose2mesh && (pose2mesh.ready || pose2mesh.errors.length > 0)")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command; its result. Events that come before are noted."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer.get("method", ""), answer.get("params", {}))

    def run(self, script: str) -> Any:
        """The value of an expression."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + _PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}; {self.complaints}"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """kind is mousePressed, mouseReleased, mouseMoved or mouseWheel."""
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def press(self, selector: str) -> None:
        """Click into the middle of an element."""
        where = f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        self.click(*self.run(f"{where} return [box.x + box.width / 2, box.y + box.height / 2]; }})()"))

    def choose(self, selector: str, path: Path) -> None:
        """Give a file to an input of the page."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self) -> bytes:
        """A PNG of what is shown."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._answers, 1 << 16)
            assert part, f"the browser ended with code {self._process.wait(10)}"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([value.get("value", value.get("description")) for value in told["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not told["request"]["url"].startswith(
            ("file:", "data:", "blob:")
        ):
            self.requests.append(told["request"]["url"])
        elif event == "Page.downloadWillBegin":
            self.downloads.append(told["suggestedFilename"])


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Page]:
    """A browser with a fresh profile; skips the test where none is installed."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium; apt-get install chromium")
    command_out, command_in = os.pipe()
    answer_out, answer_in = os.pipe()

    def pipes() -> None:  # Chromium reads from 3 and writes to 4
        copies = os.dup(command_out), os.dup(answer_in)
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)

    command = [program, *_FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"]
    log = (profile.parent / f"{profile.name}.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, close_fds=False, preexec_fn=pipes)
    os.close(command_out)
    os.close(answer_in)
    page = Page(process, command_in, answer_out)
    try:
        yield page
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for end in (command_in, answer_out):
            os.close(end)
        log.close()
