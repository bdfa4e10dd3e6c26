"""Servers of tests, in processes of their own that can be killed and started again on the same port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

SERVER = Path(__file__).with_name("judging_server.py")


class Server:
    """The judging server in a process of its own, which can be killed and started again on the same port."""

    def __init__(self, folder: Path, faults: str) -> None:
        self.log, self.faults, self.port = folder / "served.jsonl", faults, 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(SERVER), str(self.port), str(self.log), self.faults]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def served(self) -> Counter[str]:
        """How often each row was judged and the judgement delivered."""
        return Counter(self.log.read_text().splitlines()) if self.log.exists() else Counter()


class TransformersServe:
    """`transformers serve` in a process of its own."""

    def __init__(self, model: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.model, self.log = model, log
        self.start()

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("transformers")), "serve", str(self.model), "--device", "cpu"]
        offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=log, stderr=log, env=offline, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
