"""A server on localhost that answers a question as its text says: `fault: NAME` always, `once: NAME` the first time.

Every answer is made of bytes, so that it can be wrong below HTTP as well. `FAULTS` names all that it does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

NAMED = re.compile(r"(fault|once): ([a-z0-9 -]+)")
DEEP = 1_000_000  # levels of nesting
LARGE = 50_000_000  # bytes
ENOUGH = 6.0  # seconds that what has no end lasts, for clients that would wait for one
Parts = Iterator[bytes]


@dataclass(frozen=True)
class Fault:
    """What a server does to a question.

    Attributes
    ----------
    answer : function
        The bytes of an answer, in parts, to a completion that says yes.
    is_answer : bool
        Whether there is an answer in it that can be used.
    """

    answer: Callable[[], Parts]
    is_answer: bool = False


def completion(content: object = "yes", finish: object = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    choice = {"index": 0, "finish_reason": finish, "message": message, **more.pop("choice", {})}
    return {"id": "1", "object": "chat.completion", "model": "judge", "choices": [choice], "usage": usage, **more}


def head(status: str = "200 OK", *lines: str, length: int | None = None, kind: str = "application/json") -> bytes:
    sized = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *sized, *lines, "", ""]).encode("latin-1")


def body(content: bytes | str, status: str = "200 OK", *lines: str, kind: str = "application/json") -> Parts:
    encoded = content.encode() if isinstance(content, str) else content
    yield head(status, *lines, length=len(encoded), kind=kind) + encoded


def said(*lines: str, kind: str = "application/json", **more: Any) -> Fault:
    return Fault(lambda: body(json.dumps(completion(**more)), "200 OK", *lines, kind=kind), is_answer=True)


def junk(content: bytes | str, *lines: str, status: str = "200 OK", kind: str = "application/json") -> Fault:
    return Fault(lambda: body(content, status, *lines, kind=kind))


def raw(content: bytes) -> Fault:
    return Fault(lambda: iter([content]))


def slowly(first: bytes, again: bytes, pause: float = 0.05) -> Fault:
    def parts() -> Parts:
        yield first
        end = time.monotonic() + ENOUGH
        while time.monotonic() < end:
            yield again
            time.sleep(pause)

    return Fault(parts)


def large() -> Parts:
    yield head(length=LARGE)
    for _ in range(LARGE // 100_000):
        yield b" " * 100_000


def wide_chunks() -> Parts:
    yield head("200 OK", "Transfer-Encoding: chunked")
    for _ in range(LARGE // 100_000):
        yield b"186a0\r\n" + b" " * 100_000 + b"\r\n"


def reset() -> Parts:
    yield b"RESET"


def without(*names: str, **more: Any) -> Fault:
    found = completion(**more)
    return Fault(lambda: body(json.dumps({k: v for k, v in found.items() if k not in names})), is_answer=True)


GOOD = json.dumps(completion()).encode()
SECRETIVE = json.dumps({"error": {"message": "your key is sk-never-to-be-written", "code": "x"}})
BOMB = gzip.compress(b" " * LARGE)
PACKED = gzip.compress(GOOD)


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new)


def status(code: int, *lines: str) -> Fault:
    return junk(SECRETIVE, *lines, status=f"{code} Because")


FAULTS: dict[str, Fault] = {
    # the completion
    "invalid utf-8": junk(replaced(b'"yes"', b'"yes\xff\xfe"')),
    "deep nesting": junk(b"[" * DEEP),
    "deep nesting in usage": junk(replaced(b'"usage": {', b'"usage": ' + b'{"a":' * DEEP + b"{")),
    "huge integer": Fault(lambda: body(replaced(b": 100,", b": 1" + b"0" * 100_000 + b",")), is_answer=True),
    "absurd token count": Fault(lambda: body(replaced(b": 100,", b": 999999999999999,")), is_answer=True),
    "negative usage": said(usage={"prompt_tokens": -(10**12), "completion_tokens": -5}),
    "nan usage": Fault(lambda: body(replaced(b": 100,", b": NaN,")), is_answer=True),
    "infinite usage": Fault(lambda: body(replaced(b": 100,", b": 1e999,")), is_answer=True),
    "usage as strings": said(usage={"prompt_tokens": "100", "completion_tokens": "two"}),
    "usage as a list": said(usage=[1, 2]),
    "usage of true": said(usage={"prompt_tokens": True, "completion_tokens": False}),
    "usage missing": without("usage"),
    "nan logprobs": said(choice={"logprobs": {"content": [{"token": "yes", "logprob": float("nan")}]}}),
    "logprobs missing": said(choice={"logprobs": None}),
    "logprobs short": said(choice={"logprobs": {"content": []}}),
    "model renamed": said(model="something-else-2031"),
    "model missing": without("model"),
    "model a number": said(model=5),
    "half a character": Fault(lambda: body(replaced(b'"yes"', b'"yes \\ud800"')), is_answer=True),
    "50 mb": Fault(large),
    "50 mb in chunks": Fault(wide_chunks),
    "no choices": junk('{"choices": []}'),
    "choices missing": junk("{}"),
    "choices a string": junk('{"choices": "yes"}'),
    "choices an object": junk('{"choices": {"0": {"message": {"content": "yes"}}}}'),
    "message a string": junk('{"choices": [{"message": "yes"}]}'),
    "content a number": junk(json.dumps(completion(5))),
    "content a list": junk(json.dumps(completion([{"type": "text", "text": "yes"}]))),
    "null content": junk(json.dumps(completion(None))),
    "tool calls": junk(json.dumps(completion(None, "tool_calls", message={"tool_calls": [{"id": "1"}]}))),
    "refusal": junk(json.dumps(completion(None, message={"refusal": "I cannot help with that."}))),
    "refusal an object": junk(json.dumps(completion(None, message={"refusal": {"why": 1}}))),
    "content filter": junk(json.dumps(completion("", "content_filter"))),
    "cut at the length": junk(json.dumps(completion("Well", "length"))),
    "finish reason a list": said(finish=["stop"]),
    "names twice": junk(replaced(b'"content": "yes"', b'"content": "no", "content": "yes"')),
    "byte order mark": Fault(lambda: body(b"\xef\xbb\xbf" + GOOD), is_answer=True),
    "utf-16": Fault(lambda: body(GOOD.decode().encode("utf-16")), is_answer=True),
    "html": junk("<html>a proxy's greeting</html>", kind="text/html"),
    "a list": junk(b"[" + GOOD + b"]"),
    "a number": junk("5"),
    "null": junk("null"),
    "half of it": junk(GOOD[:60]),
    "two of them": junk(GOOD + GOOD),
    "events": junk(b"data: " + GOOD + b"\n\ndata: [DONE]\n\n", kind="text/event-stream"),
    "an error in a success": junk(SECRETIVE),
    "no body": junk(""),
    # how it is sent
    "wrong content type": said(kind="text/plain; charset=never-heard-of"),
    "zip not asked for": Fault(lambda: body(PACKED, "200 OK", "Content-Encoding: gzip"), is_answer=True),
    "deflate": Fault(lambda: body(zlib.compress(GOOD), "200 OK", "Content-Encoding: deflate"), is_answer=True),
    "zip bomb": junk(BOMB, "Content-Encoding: gzip"),
    "broken zip": junk(PACKED[:30] + b"?" * 30, "Content-Encoding: gzip"),
    "half a zip": junk(PACKED[:40], "Content-Encoding: gzip"),
    "no zip": junk(GOOD, "Content-Encoding: gzip"),
    "unknown packing": junk(GOOD, "Content-Encoding: br"),
    "drip": slowly(head(length=1000), b" "),
    "drip of headers": slowly(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
    "endless chunks": slowly(head("200 OK", "Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "endless continue": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence": slowly(b"", b"", pause=0.2),
    "cut chunk": raw(head("200 OK", "Transfer-Encoding: chunked") + b"ffff\r\n" + GOOD),
    "chunk of no length": raw(head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n"),
    "cut short": raw(head(length=1000) + GOOD[:100]),
    "negative length": raw(head(length=-5) + GOOD),
    "two lengths": raw(head("200 OK", "Content-Length: 5", length=len(GOOD)) + GOOD),
    "headers of 1 mb": raw(head("200 OK", f"X-Large: {'a' * 1_000_000}", length=len(GOOD)) + GOOD),
    "100000 headers": raw(head("200 OK", *["X: 1"] * 100_000, length=len(GOOD)) + GOOD),
    "header without colon": raw(head("200 OK", "no colon here", length=len(GOOD)) + GOOD),
    "http 1-0 and close": Fault(lambda: iter([b"HTTP/1.0 200 OK\r\n\r\n" + GOOD]), is_answer=True),
    "no http": raw(b"220 mail.example.org ESMTP\r\n"),
    "zeros": raw(b"\0" * 1000),
    "dropped": raw(b""),
    "reset": Fault(reset),
    # where it is
    "moved to itself": status(301, "Location: /v1/chat/completions"),
    "moved elsewhere": status(307, "Location: http://127.0.0.1:9/v1/chat/completions"),
    "moved nowhere": status(308),
    "moved to a file": status(302, "Location: file:///etc/passwd"),
    # statuses
    **{str(code): status(code) for code in (
        204, 400, 401, 402, 403, 404, 405, 407, 408, 409, 410, 413, 414, 418, 422, 425, 429, 431, 451, 500, 501, 502,
        503, 504, 529, 599, 999,
    )},
    "retry after -5": status(429, "Retry-After: -5"),
    "retry after nan": status(429, "Retry-After: nan"),
    "retry after a date": status(503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"),
    "retry after a far date": status(503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
    "retry after a huge number": status(429, f"Retry-After: {'9' * 400}"),
    "retry after words": status(503, "Retry-After: soon"),
    "retry after nothing": status(503, "Retry-After:"),
}  # fmt: skip


def said_to(request: dict[str, Any]) -> str:
    """Whether a row names an owl, to a judge; to others three numbers that hang on messages and seed."""
    question = request["messages"][-1]["content"]
    if "Answer with one word" in question:
        return "yes" if "owl" in question else "no"
    drawn = hashlib.sha256(json.dumps([request["messages"], request.get("seed")]).encode()).digest()
    return ", ".join(str(100 + byte) for byte in drawn[:3])


class FaultyServer:
    """The server in threads of this process; `with FaultyServer() as server`.

    Attributes
    ----------
    url : str
    asked : Counter of str
        How often each question came.
    head : list of bytes
        The first line and the headers of the last request.
    only : str or None
        A fault that every question gets, whatever it says.
    pause : float
        Seconds before an answer.
    """

    def __init__(self, only: str | None = None, pause: float = 0.0) -> None:
        self.asked: Counter[str] = Counter()
        self.head: list[bytes] = []
        self.only, self.pause = only, pause
        lock = threading.Lock()
        outer = self

        class Handler(StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                while (request := self.asked_for()) is not None:
                    question = str(request["messages"][-1]["content"])
                    time.sleep(outer.pause)
                    with lock:
                        outer.asked[question] += 1
                        is_first = outer.asked[question] == 1
                    found = NAMED.search(question)
                    named = found is not None and (found[1] == "fault" or is_first)
                    fault = outer.only or (found[2].strip() if found is not None and named else None)
                    parts = body(json.dumps(completion(said_to(request))))
                    if fault is not None:
                        parts = FAULTS[fault].answer()
                    try:
                        for part in parts:
                            if part == b"RESET":
                                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                                return
                            self.request.sendall(part)
                    except OSError:  # the client left
                        return
                    if fault is not None:
                        return

            def asked_for(self) -> dict[str, Any] | None:
                length, lines = 0, []
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    lines.append(line.rstrip())
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                outer.head = lines or outer.head
                try:
                    return dict(json.loads(self.rfile.read(length)))
                except ValueError:
                    return None

        class Server(ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # clients leave in the middle: that is what they are tested for

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> FaultyServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
