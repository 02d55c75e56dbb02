"""The server: TLS, the API key, dispatch, and faults on request."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from loopback import Handler, Server

from .answers import CREATED, PROJECT_ID, Refused, Request, Unknown
from .features import Features
from .files import Files
from .flight import QueryService, address
from .models import Models
from .pki import Authority


class Emulator:
    """A running server; use as a context manager.

    ``calls`` are the requests it saw, ``unknown`` those it had no answer to. Each entry of ``faults``, a
    function of the handler that returns whether it dealt with the request, is used for one request.
    """

    def __init__(self, root: Path, *, api_key: str = "emulated-key", project: str = "btc") -> None:
        self.api_key, self.project = api_key, project
        self.authority = Authority(root / "pki")
        self.files = Files(root / "hopsfs", project)
        self.models = Models(self.files)
        self.features = Features(root / "offline", project)
        self.flight = address()
        self.variables = {
            "enable_data_science_profile": "false",
            "enable_flyingduck": "true",
            "service_discovery_domain": "consul",
            "loadbalancer_external_domain_feature_query": self.flight,
        }
        self.calls: list[tuple[str, str]] = []
        self.unknown: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[Any] = []
        self.lock = threading.RLock()

    def __enter__(self) -> Self:
        self.http = Server(type("Handler", (_Handler,), {"emulator": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = self.authority.folder
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.start().server_port
        self.query_service = QueryService(self.authority, self.flight)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.stop()
        self.query_service.shutdown()

    def reset(self) -> None:
        """Forget all features, models and files, and which requests there were."""
        with self.lock:
            self.features.clear()
            self.models.clear()
            self.calls.clear()
            self.faults.clear()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reply(self, request: Request) -> Any:
        match request.path:
            case ("variables", "versions"):
                return [{"software": "hopsworks", "version": "5.2.1"}]
            case ("variables", name):
                if name not in self.variables:
                    raise Refused(404, 100000, f"variable {name} not found")
                return {"successMessage": self.variables[name]}
            case ("project",):
                user = {"username": "emulated", "uid": 1, "email": "emulated@localhost"}
                return [{"user": user, "project": {"name": self.project, "owner": user}}]
            case ("project", "getProjectInfo", name):
                if name != self.project:
                    raise Refused(404, 150004, "No project found")
                return {"projectId": PROJECT_ID, "projectName": self.project, "created": CREATED}
            case ("project", _, "credentials"):
                return self._credentials()
            case ("project", _, "dataset", *_):
                return self.files.reply(request.below(3))
            case ("project", _, "modelregistries", _, "models", *_):
                return self.models.reply(request.below(5))
            case ("project", _, "featurestores", "query"):
                return self.features.query(request.json)
            case ("project", _, "featurestores", *_):
                return self.features.reply(request.below(3))
        raise Unknown

    def _credentials(self) -> dict[str, str]:
        keystore = base64.b64encode(b"not a keystore").decode()
        return {
            "kStore": keystore,
            "tStore": keystore,
            "password": "x",
            "caChain": self.authority.read("ca.pem"),
            "clientCert": self.authority.read("client.pem"),
            "clientKey": self.authority.read("client.key"),
            "fileExtension": "jks",
        }


def cut(handler: Handler) -> bool:
    """A fault: the connection ends in the middle of the answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


def failing(status: int) -> Any:
    """A fault: an error of the server."""

    def fault(handler: _Handler) -> bool:
        handler.reply(status, b"<html>upstream error</html>", {"Content-Type": "text/html"})
        return True

    return fault


def slow(seconds: float) -> Any:
    """A fault: the answer comes late."""

    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return False

    return fault


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    emulator: Emulator

    def _serve(self) -> None:
        emulator = self.emulator
        body = self.body()
        if emulator.faults and emulator.faults.pop(0)(self):
            return
        raw, _, query = self.path.partition("?")
        path = tuple(unquote(part) for part in raw.split("/") if part)
        request = Request(
            self.command, path[2:], dict(parse_qsl(query)), body, self.headers.get("Content-Type", "")
        )
        status, answer = self._dispatch(path[:2], request)
        kind = {"Content-Type": "application/octet-stream"} if isinstance(answer, bytes) else None
        self.reply(status, b"" if answer is None else answer, kind)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _dispatch(self, root: tuple[str, ...], request: Request) -> tuple[int, Any]:
        emulator, where = self.emulator, "/".join(request.path)
        try:
            if self.headers.get("Authorization") != f"ApiKey {emulator.api_key}":
                raise Refused(401, 320001, "The API key is not valid")
            if root != ("hopsworks-api", "api"):
                raise Unknown
            with emulator.lock:
                emulator.calls.append((request.method, where))
                return 200, emulator.reply(request)
        except Refused as refused:
            return refused.status, refused.body
        except Unknown:
            emulator.unknown.append((request.method, where, request.query))
            return 501, {"errorCode": 1, "errorMsg": f"the emulator does not know {request.method} {where}"}
        except Exception:
            traceback.print_exc()
            emulator.unknown.append((request.method, where, {"emulator": "failed"}))
            return 500, {"errorCode": 2, "errorMsg": "the emulator failed"}
