"""An OpenAI-compatible endpoint on localhost with faults: `python judging_server.py PORT LOG FAULTS`.

Asked to judge a row, it answers yes where the row names an owl; asked anything else, it writes three numbers that hang
on the messages and the seed. Each delivered answer is noted in LOG, one line each: the judged rows, or the question.
FAULTS is the cycle of what happens to successive requests, with commas between: ok, 401, 429, 500, html, json, empty,
drop, slow, cut, drip, refuse, mumble, long, greedy. A model named missing is not there.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any

ROW = re.compile(r"^--- (row(?: [AB])?) (\w+) ---\n(.*?)\n--- end of \1 \2 ---$", re.MULTILINE | re.DOTALL)


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": "judge",
        "choices": [
            {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102},
    }  # fmt: skip


class Judging(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other's receipt
    faults: Any
    log: Path
    lock = threading.Lock()
    asked = ""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = request["messages"][-1]["content"]
        self.asked = json.dumps([request["messages"], request.get("seed")])
        rows = [text for _, _, text in ROW.findall(question)] or [question]
        if request["model"] == "missing":
            self.reply(404, json.dumps({"error": {"message": "no such model", "code": "model_not_found"}}))
            return
        with self.lock:
            fault = next(self.faults)
        getattr(self, f"on_{fault}")(rows)

    def judgement(self, rows: list[str]) -> str:
        if not ROW.search(json.loads(self.asked)[0][-1]["content"]):
            return ", ".join(str(100 + byte) for byte in hashlib.sha256(self.asked.encode()).digest()[:3])
        if len(rows) == 2:
            return "A" if "owl" in rows[0] else "B"
        return "Yes." if "owl" in rows[0] else "No"

    def on_ok(self, rows: list[str], **message: Any) -> None:
        self.reply(200, json.dumps(completion(message.pop("content", self.judgement(rows)), **message)))
        with self.lock, self.log.open("a") as log:
            log.write(json.dumps(rows) + "\n")

    def on_greedy(self, rows: list[str]) -> None:
        """As servers answer that ignore temperature and seed."""
        self.asked = json.dumps([json.loads(self.asked)[0], None])
        self.on_ok(rows)

    def on_long(self, rows: list[str]) -> None:
        self.on_ok(rows, content="1, 2, 3, 4,", finish_reason="length")

    def on_cut(self, rows: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"message": {"content": "half an ans')
        self.on_drop(rows)

    def on_drip(self, rows: list[str]) -> None:
        """A blank now and then, so that no read waits for long, and never an end."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(30):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)
        self.on_drop(rows)

    def on_refuse(self, rows: list[str]) -> None:
        self.on_ok(rows, content=None, refusal="I cannot help with that.")

    def on_mumble(self, rows: list[str]) -> None:
        self.on_ok(rows, content="Well, yes and no.")

    def on_429(self, rows: list[str]) -> None:
        self.reply(429, json.dumps({"error": {"message": "slow down"}}), {"Retry-After": "0.01"})

    def on_401(self, rows: list[str]) -> None:
        key = self.headers["Authorization"]
        self.reply(401, json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}))

    def on_500(self, rows: list[str]) -> None:
        self.reply(500, "oops")

    def on_html(self, rows: list[str]) -> None:
        self.reply(200, "<html>a proxy's greeting</html>", {"Content-Type": "text/html"})

    def on_json(self, rows: list[str]) -> None:
        self.reply(200, '{"choices": [{"mess')

    def on_empty(self, rows: list[str]) -> None:
        self.reply(200, '{"choices": []}')

    def on_drop(self, rows: list[str]) -> None:
        self.connection.close()
        self.close_connection = True

    def on_slow(self, rows: list[str]) -> None:
        time.sleep(1.5)
        self.on_drop(rows)

    def reply(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    Judging.log = Path(sys.argv[2])
    Judging.faults = cycle(sys.argv[3].split(","))
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Judging)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
