"""Feature groups, their commits, queries over them, feature views and training datasets."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

from .answers import CREATED, PROJECT_ID, STORE_ID, Refused, Request, Unknown


class Features:
    """The metadata of one feature store; the rows are Delta tables below ``root``, written by the client."""

    def __init__(self, root: Path, project: str) -> None:
        self.root = root
        self.project = project
        self.store = f"{project}_featurestore"
        self.ids = itertools.count(1000)
        self.on_hopsfs = False
        self.groups: dict[int, dict[str, Any]] = {}
        self.commits: dict[int, list[dict[str, Any]]] = {}
        self.views: dict[tuple[str, int], dict[str, Any]] = {}
        self.training: dict[int, dict[str, Any]] = {}
        self.statistics: list[dict[str, Any]] = []
        self.monitoring: dict[int, dict[str, Any]] = {}

    def clear(self) -> None:
        """Forget everything, rows included."""
        self.on_hopsfs = False
        shutil.rmtree(self.root, ignore_errors=True)
        for kept in (self.groups, self.commits, self.views, self.training, self.monitoring):
            kept.clear()
        self.statistics.clear()

    def reply(self, request: Request) -> Any:
        match request.path:
            case () | (_,):
                return self._store() if request.path else [self._store()]
            case (_, "featuregroups", *_):
                return self._group(request.below(2))
            case (_, "featureview", *_):
                return self._view(request.below(2))
            case (_, "storageconnectors", name) if request.method == "GET":
                return _connector(name)
        raise Unknown

    def query(self, query: dict[str, Any]) -> dict[str, Any]:
        """What the query service is told to do, opaque to the client."""
        group = self.groups[query["leftFeatureGroup"]["id"]]
        plan = {
            "location": group["location"],
            "columns": {self._alias(group, f): f["name"] for f in query["leftFeatures"]},
            "filter": query.get("filter"),
        }
        sources = ("hudiCachedFeatureGroups", "onDemandFeatureGroups", "deltaCachedFeatureGroups")
        empty: dict[str, Any] = {source: [] for source in sources}
        statement = {"query": "SELECT", "queryOnline": "SELECT", "hqsPayloadSignature": "signed"}
        return empty | statement | {"hqsPayload": json.dumps(plan)}

    def _alias(self, group: dict[str, Any], feature: dict[str, Any]) -> str:
        """What the answer calls a feature: its name, or one that no other group's feature has."""
        if not feature.get("useFullyQualifiedName"):
            return feature["name"]
        return f"{self.project}_{group['name']}_{group['version']}_{feature['name']}"

    def _store(self) -> dict[str, Any]:
        return {
            "featurestoreId": STORE_ID,
            "featurestoreName": self.store,
            "offlineFeaturestoreName": self.store,
            "created": CREATED,
            "projectName": self.project,
            "projectId": PROJECT_ID,
            "onlineEnabled": False,
        }

    def _group(self, request: Request) -> Any:
        match request.method, request.path:
            case "POST", ():
                return self._create(request.json)
            case "GET", (name,) if not name.isdigit():
                return self._named(name, request.query)
            case "POST", (key, "commits"):
                return self._commit(self._by_id(key), request.json)
            case "GET", (key, "commits"):
                commits = self.commits[self._by_id(key)["id"]][::-1]
                return {"count": len(commits), "items": commits}
            case "GET", (_, "expectationsuite"):
                return {"count": 0, "type": "expectationSuiteDTO"}
            case "GET", (key,):
                return self._by_id(key)
            case "PUT", (key,) if request.query == {"updateMetadata": "True"}:
                return self._update_metadata(self._by_id(key), request.json)
            case "DELETE", (key,):
                group = self.groups.pop(self._by_id(key)["id"])
                shutil.rmtree(group["location"], ignore_errors=True)
                return None
        raise Unknown

    def _create(self, group: dict[str, Any]) -> dict[str, Any]:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", group["name"]):
            raise Refused(400, 270038, "Illegal feature group name")
        if any((g["name"], g["version"]) == (group["name"], group["version"]) for g in self.groups.values()):
            raise Refused(400, 270089, "The feature group already exists")
        key = next(self.ids)
        where = self.root / f"{group['name']}_{group['version']}"
        if self.on_hopsfs and not (group.get("dataSource") or {}).get("storageConnector"):
            where = f"hopsfs://namenode.service.consul:8020/warehouse/{where.name}"
            return self._keep(group, key, str(where))
        # What a group on a bucket looks like to the client, except that the bucket is a folder here.
        group["dataSource"] = {"storageConnector": _connector("emulated_s3"), "path": str(where)}
        return self._keep(group, key, str(where))

    def _keep(self, group: dict[str, Any], key: int, where: str) -> dict[str, Any]:
        group |= {"id": key, "location": where, "created": CREATED, "featurestoreName": self.store}
        group["statisticsConfig"] = group.get("statisticsConfig") or {"enabled": False, "columns": []}
        self.groups[key], self.commits[key] = group, []
        return group

    def _update_metadata(self, group: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
        """Descriptions may change and features be appended; those there are stay, and so does the key."""
        features = {feature["name"]: feature for feature in update["features"]}
        if len(features) != len(update["features"]):
            raise Refused(400, 270043, "Duplicate feature in the feature group")
        for there in group["features"]:
            new = features.pop(there["name"], None)
            if new is None or any(new[part] != there[part] for part in ("type", "primary", "partition")):
                raise Refused(400, 270014, "Illegal feature group update: existing features must be kept")
        if any(feature["primary"] or feature["partition"] for feature in features.values()):
            raise Refused(400, 270014, "Illegal feature group update: the key cannot grow")
        group |= {"features": update["features"], "description": update["description"]}
        return group

    def _commit(self, group: dict[str, Any], commit: dict[str, Any]) -> dict[str, Any]:
        commit["commitid"] = commit.pop("commitID", None) or commit["commitTime"]
        self.commits[group["id"]].append(commit)
        return commit | {"href": "emulated"}

    def _named(self, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        version = query.get("version")
        found = [
            group
            for group in self.groups.values()
            if group["name"] == name and version in (None, str(group["version"]))
        ]
        if not found:
            raise Refused(404, 270009, "Featuregroup wasn't found")
        return found

    def _by_id(self, key: str) -> dict[str, Any]:
        if int(key) not in self.groups:
            raise Refused(404, 270009, "Featuregroup wasn't found")
        return self.groups[int(key)]

    def _view(self, request: Request) -> Any:
        match request.method, request.path:
            case "POST", ():
                return self._create_view(request.json)
            case "GET", (name,):
                return {"items": self._views(name)}
            case "GET", (name, "version", version):
                return self._views(name, version)[0]
            case "GET", (name, "version", version, "query", "batch"):
                return self._views(name, version)[0]["query"]
            case "GET", (_, "version", _, "preparedstatement"):
                return {"count": 0, "items": []}
            case "POST", (name, "version", version, "trainingdatasets"):
                return self._training_dataset(self._views(name, version)[0], request.json)
            case "POST", (_, "version", _, "trainingdatasets", "version", _, "statistics"):
                self.statistics.append(request.json)
                return request.json
            case "GET", (_, "version", _, "trainingdatasets", "version", version):
                return self.training[int(version)]
            case _, (name, "version", version, "featuremonitoring", "config", *rest):
                return self._monitoring(self._views(name, version)[0], request, rest)
            case "GET", (name, "version", version, "trainingdatasets"):
                key = self._views(name, version)[0]["id"]
                return [dataset for dataset in self.training.values() if dataset["_view"] == key]
        raise Unknown

    def _monitoring(self, view: dict[str, Any], request: Request, rest: list[str]) -> Any:
        """What is to be compared with what; nothing is ever run."""
        match request.method, rest:
            case "POST", []:
                config = request.json | {"id": next(self.ids), "featureViewName": view["name"]}
                self.monitoring[config["id"]] = config
                return config
            case "GET", ["name", name]:
                found = [each for each in self.monitoring.values() if each["name"] == name]
                if not found:
                    raise Refused(404, 270233, "Feature monitoring configuration not found")
                return found[0]
            case "DELETE", [key]:
                del self.monitoring[int(key)]
                return None
        raise Unknown

    def _create_view(self, view: dict[str, Any]) -> dict[str, Any]:
        group = self.groups[view["query"]["leftFeatureGroup"]["id"]]
        view["query"]["leftFeatureGroup"] = group
        types = {feature["name"]: feature["type"] for feature in group["features"]}
        labels = {feature["name"] for feature in view.get("features") or [] if feature.get("label")}
        view["features"] = [
            {
                "name": feature["name"],
                "type": types[feature["name"]],
                "index": index,
                "featuregroup": group,
                "label": feature["name"] in labels,
            }
            for index, feature in enumerate(view["query"]["leftFeatures"])
        ]
        view["id"] = next(self.ids)
        self.views[view["name"], view["version"]] = view
        return view

    def _views(self, name: str, version: str | None = None) -> list[dict[str, Any]]:
        found = [view for (n, v), view in self.views.items() if n == name and version in (None, str(v))]
        if not found:
            raise Refused(404, 270181, "Feature view wasn't found")
        return found

    def _training_dataset(self, view: dict[str, Any], dataset: dict[str, Any]) -> dict[str, Any]:
        dataset["version"] = dataset.get("version") or len(self.training) + 1
        dataset |= {"id": next(self.ids), "featurestoreId": STORE_ID, "created": CREATED, "_view": view["id"]}
        dataset["type"] = "trainingDatasetDTO"
        self.training[dataset["version"]] = dataset
        return dataset


def _connector(name: str) -> dict[str, Any]:
    return {
        "type": "featurestoreS3ConnectorDTO",
        "id": 5,
        "name": name,
        "featurestoreId": STORE_ID,
        "storageConnectorType": "S3",
        "bucket": "emulated",
    }
