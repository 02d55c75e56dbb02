"""Models in a Hopsworks model registry; ``cached.CachedRegistry`` adds checks and verified local copies.

A vintage is the model's version, as the integer YYYYMMDDrr, so the vintage in force is always named, never
"the latest". The manifest's hash stands in the description; the manifest itself, the card and its pictures
are files of the model like the others.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from btc_assets.contracts import QUANTILES
from btc_assets.errors import BadModel, StorageError
from btc_assets.storage.hopsworks.errors import errors
from btc_assets.storage.registry.manifest import MANIFEST, parse_manifest
from btc_assets.storage.registry.protocol import ModelRef, VintageId, numbers, other_content

if TYPE_CHECKING:
    from btc_assets.storage.hopsworks.lineage import TrainingView

_SHA = re.compile(r"manifest sha256 ([0-9a-f]{64})")


class HopsworksRegistry:
    """The remote half of a registry on Hopsworks.

    Args:
        project: what ``login.connect`` returned.
        lineage: names the feature view behind each vintage; None: vintages are registered without.
        prefix: of the models' names; what keeps simulated models apart from real ones in one project.
    """

    def __init__(self, project: Any, lineage: TrainingView | None = None, prefix: str = "") -> None:
        self.lineage = lineage
        self.prefix = prefix
        with errors("open the model registry"):
            self.models = project.get_model_registry()
            self.datasets = project.get_dataset_api()

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Register ``folder`` with its metrics, schema, input example and lineage."""
        content = (folder / MANIFEST).read_bytes()
        manifest = parse_manifest(content, str(folder))
        mine = ModelRef(name, vintage, hashlib.sha256(content).hexdigest(), numbers(manifest))
        there = self.get(name, vintage)
        if there is None:
            self._remove_leftovers(name, vintage)
            self._save(mine, manifest, folder)
            # The server has no conditional write: ask whose upload it registered.
            there = self.get(name, vintage)
        if there is None or there.manifest_sha256 != mine.manifest_sha256:
            raise other_content(mine, there)
        return there

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None."""
        with errors(f"look for model {name} {vintage}"):
            model = self.models.get_model(self.prefix + name, vintage.number)
        return None if model is None else _ref(name, model)

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages of ``name``, oldest first."""
        with errors(f"list models {name}"):
            models = self.models.get_models(self.prefix + name)
        return sorted((_ref(name, model) for model in models), key=lambda ref: ref.vintage)

    def download(self, ref: ModelRef, target: Path) -> None:
        """Copy the files that the manifest lists into ``target``; the server keeps some of its own beside."""
        with tempfile.TemporaryDirectory(prefix="hopsworks-") as scratch:
            with errors(f"download model {ref.name} {ref.vintage}"):
                model = self.models.get_model(self.prefix + ref.name, ref.vintage.number)
                if model is None:
                    raise StorageError(f"model {ref.name} {ref.vintage} is not in the registry any more")
                source = Path(model.download(scratch))
            if not (source / MANIFEST).is_file():
                raise BadModel(f"model {ref.name} {ref.vintage} has no {MANIFEST}; publish a new revision")
            manifest = parse_manifest((source / MANIFEST).read_bytes(), f"{ref.name} {ref.vintage}")
            for file in (MANIFEST, *manifest["files"]):
                if (source / file).is_file():
                    (target / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(source / file, target / file)

    def _save(self, ref: ModelRef, manifest: dict[str, Any], folder: Path) -> None:
        options: dict[str, Any] = {}
        found = self.lineage.training_set(ref.vintage) if self.lineage else None
        if found is not None:
            view, dataset = found
            options = {"feature_view": view, "training_dataset_version": dataset}
        with errors(f"publish model {ref.name} {ref.vintage}"):
            model = self.models.tensorflow.create_model(
                name=self.prefix + ref.name,
                version=ref.vintage.number,
                metrics=dict(ref.metrics),
                description=f"{ref.name}, cutoff {ref.vintage}; manifest sha256 {ref.manifest_sha256}",
                input_example=_input_example(manifest),
                model_schema=_schema(manifest),
                **options,
            )
            model.save(str(folder), keep_original_files=True)

    def _remove_leftovers(self, name: str, vintage: VintageId) -> None:
        """Remove files of an upload that was killed: they would block this version for ever."""
        path = f"Models/{self.prefix}{name}/{vintage.number}"
        with errors(f"publish model {name} {vintage}"):
            if self.datasets.exists(path):
                self.datasets.remove(path)


def _ref(name: str, model: Any) -> ModelRef:
    vintage = VintageId.from_number(int(model.version))
    match = _SHA.search(model.description or "")
    if match is None:
        raise BadModel(
            f"model {name} {vintage} was not published by this platform: no hash in its description"
        )
    # The client decamelises the answer's keys, which doubles the underscore before a number.
    metrics = {k.replace("__", "_"): float(v) for k, v in (model.training_metrics or {}).items()}
    return ModelRef(name, vintage, match[1], numbers({"metrics": metrics}))


def _input_example(manifest: dict[str, Any]) -> Any:
    """Return the shape of one input: days by features, all zero; None if the manifest does not say."""
    import numpy as np

    window = manifest.get("hyperparameters", {}).get("window")
    features = manifest.get("features")
    return np.zeros((1, int(window), len(features))) if window and features else None


def _schema(manifest: dict[str, Any]) -> Any:
    from hsml.model_schema import ModelSchema
    from hsml.schema import Schema

    features = manifest.get("features")
    inputs = Schema([{"name": name, "type": "double"} for name in features]) if features else None
    outputs = Schema([{"name": name, "type": "double"} for name in QUANTILES])
    return ModelSchema(input_schema=inputs, output_schema=outputs)
