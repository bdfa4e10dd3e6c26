"""A real browser without a window: what a page loads, says, runs and looks like, by the DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1 --disable-extensions "
    "--remote-debugging-pipe"
).split()
_PATIENCE = 90  # seconds for one answer on a busy machine


@dataclass
class Looked:
    """What happened while a page was open.

    Attributes
    ----------
    requests : list of str
        Everything that it asked for besides itself.
    said : list of str
        Messages of its console, exceptions, and dialogs that it opened.
    seconds : float
        From the start of the navigation to the end of loading.
    """

    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Browser:
    """One browser, and one page in it at a time."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._rest, self._last, self._session = send, receive, b"", 0, ""
        self.looked = Looked()
        self._address = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    # ------------------------------------------------------------------------------------------------------- a page

    def open(self, path: Path, *, width: int = 1400, height: int = 900, dark: bool = False) -> Looked:
        """Open a file and wait until it is loaded and drawn."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        self.media(dark=dark)
        self.looked, self._address = Looked(), path.resolve().as_uri()
        begun = time.monotonic()
        self.call("Page.navigate", url=self._address)
        self._until(lambda message: message.get("method") == "Page.loadEventFired")
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.looked.seconds = time.monotonic() - begun
        return self.looked

    def media(self, *, dark: bool = False, printed: bool = False) -> None:
        """The scheme and the medium that styles are chosen for."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media="print" if printed else "", features=scheme)

    def run(self, program: str) -> Any:
        """The value of an expression in the page; this is the debugger, which no policy of the page forbids."""
        found = self.call("Runtime.evaluate", expression=program, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """What it looks like, all the way down or what is seen of it."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """What it looks like in print."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))

    # ----------------------------------------------------------------------------------------------------- messages

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._last += 1
        asked = self._last
        message = {"id": asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._send, data) :]
        answer = self._until(lambda message: message.get("id") == asked)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            head, sign, self._rest = self._rest.partition(b"\0")
            if sign:
                message: dict[str, Any] = json.loads(head)
                self._note(message)
                if is_it(message):
                    return message
                continue
            self._rest = head
            if not select([self._receive], [], [], _PATIENCE)[0]:
                raise TimeoutError("the browser must answer, got nothing")
            more = os.read(self._receive, 1 << 20)
            assert more, "the browser has gone"
            self._rest += more

    def _note(self, message: dict[str, Any]) -> None:
        event, given = message.get("method"), message.get("params", {})
        if event == "Network.requestWillBeSent" and given["request"]["url"] != self._address:
            self.looked.requests.append(given["request"]["url"])
        elif event == "Runtime.consoleAPICalled":
            self.looked.said.append(json.dumps(given["args"]))
        elif event == "Runtime.exceptionThrown":
            self.looked.said.append(given["exceptionDetails"]["text"])
        elif event == "Log.entryAdded":
            self.looked.said.append(given["entry"]["text"])
        elif event == "Page.javascriptDialogOpening":
            self.looked.said.append(given["message"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    assert CHROMIUM is not None
    to_read, send = os.pipe()
    receive, to_write = os.pipe()
    # DevTools' pipe is file descriptors 3 and 4; the shell puts ours there, whichever they are here.
    program = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
    command = ["/bin/bash", "-c", program, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        command, pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(send, receive)
    finally:
        process.terminate()
        process.wait(30)
        os.close(send)
        os.close(receive)
