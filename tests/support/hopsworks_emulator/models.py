"""The model registry's metadata; the files are in HopsFS."""

from __future__ import annotations

import shutil
from typing import Any

from .answers import PROJECT_ID, Refused, Request, Unknown
from .files import Files


class Models:
    """Models by ``name_version``."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.all: dict[str, dict[str, Any]] = {}

    def clear(self) -> None:
        """Forget all models, files included."""
        self.all.clear()
        shutil.rmtree(self.files.root / "Models")
        (self.files.root / "Models").mkdir()

    def reply(self, request: Request) -> Any:
        match request.method, request.path:
            case "PUT", (key,):
                return self._register(key, request.json)
            case "GET", ():
                return self._find(request.query)
            case "GET", (key,):
                return self._existing(key)
            case "DELETE", (key,):
                model = self.all.pop(self._existing(key)["id"])
                shutil.rmtree(self.files.local("Models", model["name"], str(model["version"])))
                return None
        raise Unknown

    def _register(self, key: str, model: dict[str, Any]) -> dict[str, Any]:
        for kept_as_file in ("modelSchema", "inputExample"):
            model.pop(kept_as_file, None)
        self.all[key] = model | {
            "id": key,
            "modelRegistryId": PROJECT_ID,
            "projectName": self.files.project,
            "created": 1_767_225_600_000,
            "creator": "Emulated",
            "userFullName": "Emulated",
        }
        return self.all[key]

    def _find(self, query: dict[str, str]) -> dict[str, Any]:
        name = query["filter_by"].split(":", 1)[1]
        items = [model for model in self.all.values() if model["name"] == name]
        return {"count": len(items), "items": items}

    def _existing(self, key: str) -> dict[str, Any]:
        if key not in self.all:
            raise Refused(404, 360000, "Model not found")
        return self.all[key]
