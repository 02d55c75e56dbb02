"""HopsFS as the dataset API shows it: folders, chunked uploads, downloads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from .answers import CREATED, Refused, Request, Unknown


class Files:
    """The project's files, kept below ``root``."""

    def __init__(self, root: Path, project: str) -> None:
        self.root = root
        self.project = project
        self.chunks: dict[tuple[Path, str], dict[int, bytes]] = {}
        for name in ("Models", "Resources"):
            (root / name).mkdir(parents=True)

    def reply(self, request: Request) -> Any:
        match request.method, request.path:
            case "POST", ("upload", *folder):
                return self._upload(self.local(*folder), request)
            case "GET", ("download", "with_auth", *path):
                return self.local(*path).read_bytes()
            case "POST", path if request.query.get("action") == "create":
                return self._make(self.local(*path))
            case "DELETE", path:
                return self._remove(self._existing(*path))
            case "GET", path if request.query.get("action") == "listing":
                return self._list(self._existing(*path), request.query)
            case "GET", path:
                return self._entry(self._existing(*path))
        raise Unknown

    def local(self, *parts: str) -> Path:
        path = re.sub(r"^/?Projects/[^/]+/?", "", "/".join(parts)).strip("/")
        found = (self.root / path).resolve()
        if not found.is_relative_to(self.root.resolve()):
            raise Refused(400, 110011, "path outside the project")
        return found

    def _existing(self, *parts: str) -> Path:
        path = self.local(*parts)
        if not path.exists():
            raise Refused(404, 110018, "Path not found")
        return path

    def _make(self, path: Path) -> Any:
        if path.exists():
            raise Refused(400, 110015, "Dataset or folder already exists")
        path.mkdir(parents=True)
        return self._entry(path)

    @staticmethod
    def _remove(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def _list(self, folder: Path, query: dict[str, str]) -> Any:
        entries = sorted(folder.iterdir())
        offset = int(query.get("offset", 0))
        page = entries[offset : offset + int(query.get("limit", 1000))]
        return {"count": len(entries), "items": [self._entry(path) for path in page]}

    def _entry(self, path: Path) -> dict[str, Any]:
        where = f"/Projects/{self.project}/{path.relative_to(self.root.resolve()).as_posix()}"
        size = 0 if path.is_dir() else path.stat().st_size
        attributes = {"name": path.name, "path": where, "dir": path.is_dir(), "size": size}
        attributes |= {"owner": "emulated", "permission": "rwxrwx---", "modificationTime": CREATED}
        return {"type": "inodeDTO", "attributes": attributes}

    def _upload(self, folder: Path, request: Request) -> None:
        """One chunk of a file; the file appears with its last chunk."""
        fields = _form(request)
        key = folder, fields["flowFilename"].decode()
        chunks = self.chunks.setdefault(key, {})
        chunks[int(fields["flowChunkNumber"])] = fields["file"]
        if len(chunks) == max(1, int(fields["flowTotalChunks"])):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / key[1]).write_bytes(b"".join(chunks[n] for n in sorted(chunks)))
            del self.chunks[key]


def _form(request: Request) -> dict[str, bytes]:
    boundary = request.content_type.partition("boundary=")[2].encode()
    fields = {}
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        assert name
        fields[name[1].decode()] = content
    return fields
