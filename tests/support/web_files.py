"""A web server on loopback with the files of a folder, ETags and ranges; its line and answers can fail."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import loopback


@dataclass
class WebFiles:
    """The server, seen from the test.

    Each of ``faults`` happens to one request of a path that contains ``part``: ``half`` hangs up amid the
    body, ``page`` answers 200 with a page, ``other range`` answers a range with the whole, ``other version``
    gives an ETag that no file has, ``hang up`` says nothing, a number is the status of the answer.
    """

    folder: Path
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and ``Range`` of each request."""
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    part: str = ""

    def spoil(self, *faults: str, part: str = "") -> None:
        """Let ``faults`` happen, one a request."""
        self.faults, self.part = iter(faults), part

    def spoil_always(self, fault: str, part: str = "") -> None:
        """Let ``fault`` happen to every request."""
        self.faults, self.part = itertools.repeat(fault), part

    def paths(self) -> list[str]:
        """What was asked for since the last call, sorted; without what is not there."""
        asked, self.asked = self.asked, []
        return sorted(path for path, _ in asked if (self.folder / path).is_file())


class Handler(loopback.Handler):
    protocol_version = "HTTP/1.1"
    files: WebFiles

    def do_GET(self) -> None:
        files, name = self.files, unquote(self.path).lstrip("/")
        files.asked.append((name, self.headers.get("Range", "")))
        fault = next(files.faults, "") if files.part in name else ""
        path = files.folder / name
        if fault == "page":
            self.reply(200, b"<!doctype html><title>Just a moment...</title>")
        elif fault.isdigit():
            self.reply(int(fault), b"no")
        elif fault == "hang up":
            self.close_connection = True
        elif path.is_file():
            self.send_file(path.read_bytes(), fault)
        else:
            self.reply(404, b"<title>Not found</title>")

    def send_file(self, content: bytes, fault: str) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if fault == "other version":
            tag = '"another"'
        start, status, headers = 0, 200, {"ETag": tag, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range", tag) == tag:
            start = 0 if fault == "other range" else int(asked[1])
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if fault != "half":
            return self.reply(status, body, headers)
        self.start(status, len(body), headers)
        self.close_connection = True
        self.wfile.write(body[: len(body) // 2])
        return None


@contextmanager
def web_files(folder: Path) -> Iterator[WebFiles]:
    """A server of ``folder`` while it runs."""
    files = WebFiles(folder)
    with loopback.serving(type("Bound", (Handler,), {"files": files})) as files.url:
        yield files
