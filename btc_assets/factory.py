"""Every table, and the stores that the settings name; no backend is imported before it is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from btc_assets.settings import Settings
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import TableStore

if TYPE_CHECKING:
    from btc_assets.contracts import TableSpec
    from btc_assets.storage.hopsworks.tables import HopsworksTables


def open_tables(settings: Settings) -> TableStore:
    """Open the table store of ``settings.store``: Delta tables below ``settings.root``, or Hopsworks.

    Those of `Settings.read_only` refuse every write.

    Raises:
        ConfigurationError: a setting the backend needs is missing.

    Examples:
        >>> from btc_assets.contracts import RAW_KLINES
        >>> from btc_assets.settings import load
        >>> tables = open_tables(load({}, source="simulated"))
        >>> tables.ensure_table(RAW_KLINES)
        >>> tables.read(RAW_KLINES).height
        0
    """
    if settings.store == "hopsworks":
        return _hopsworks_tables(settings)
    from btc_assets.storage.delta.store import DeltaTables

    if "://" not in settings.root:
        return DeltaTables(settings.root)
    cache = _cache(settings, settings.s3_endpoint, settings.root)
    if not settings.root.startswith("s3://"):
        from btc_assets.storage.delta.web_tables import WebTables

        return WebTables(settings.root, cache, 60.0 * settings.follow_minutes, settings.read_only)
    from btc_assets.storage.delta.s3_files import delta_options

    options = delta_options(settings.s3_endpoint, anonymous=settings.s3_anonymous)
    return DeltaTables(settings.root, options, cache, settings.read_only)


def all_tables() -> dict[str, TableSpec]:
    """Return the contract of every table of the project by its name."""
    from btc_assets import contracts
    from btc_assets.ledger.arena_records import ARENA_RECORDS
    from btc_assets.ledger.publishing.timestamps import HEAD_TIMESTAMPS
    from btc_assets.ledger.records import ISSUE_RECORDS
    from btc_assets.modeling.features import ENGINEERED_FEATURES

    specs = [value for value in vars(contracts).values() if isinstance(value, contracts.TableSpec)]
    specs += [ENGINEERED_FEATURES, ISSUE_RECORDS, ARENA_RECORDS, HEAD_TIMESTAMPS]
    return {spec.name: spec for spec in specs}


def open_pair(settings: Settings) -> TableStore:
    """Open the table store of ``settings.store``, which must hold the pair of ``settings.symbol`` or none.

    Raises:
        ConfigurationError: it holds another pair, or a setting the backend needs is missing.
    """
    from btc_assets.storage.stored_pairs import require_pair

    tables = open_tables(settings)
    place = f"the project {settings.hopsworks_project}" if settings.store == "hopsworks" else settings.root
    require_pair(tables, settings.symbol, place)
    return tables


def open_registry(settings: Settings) -> ModelRegistry:
    """Open the model registry of ``settings.registry``: a folder or bucket, or Hopsworks.

    Raises:
        ConfigurationError: a setting the backend needs is missing.

    Examples:
        >>> from btc_assets.settings import load
        >>> open_registry(load({}, source="simulated")).versions("mlp")
        []
    """
    if settings.registry == "hopsworks":
        return _hopsworks_registry(settings)
    if "://" not in settings.root:
        from btc_assets.storage.registry.folder import FolderRegistry

        return FolderRegistry(settings.root)
    from btc_assets.storage.registry.cached_registry import CachedRegistry

    cache = _cache(settings, settings.s3_endpoint, settings.root)
    if not settings.root.startswith("s3://"):
        from btc_assets.io.web_folder import WebFolder
        from btc_assets.storage.registry.web import WebRegistry

        return CachedRegistry(WebRegistry(WebFolder(settings.root), open_tables(settings)), cache)
    from btc_assets.io.s3 import Bucket
    from btc_assets.storage.registry.s3 import S3Registry

    bucket = Bucket(settings.root, settings.s3_endpoint, anonymous=settings.s3_anonymous)
    return CachedRegistry(S3Registry(bucket), cache)


def _hopsworks_tables(settings: Settings) -> HopsworksTables:
    from btc_assets.storage.hopsworks.login import connect
    from btc_assets.storage.hopsworks.tables import HopsworksTables

    return HopsworksTables(connect(settings), settings.hopsworks_data_source, _prefix(settings))


def _hopsworks_registry(settings: Settings) -> ModelRegistry:
    from btc_assets.modeling.features import ENGINEERED_FEATURES
    from btc_assets.storage.hopsworks.lineage import TrainingView
    from btc_assets.storage.hopsworks.login import connect
    from btc_assets.storage.hopsworks.registry import HopsworksRegistry
    from btc_assets.storage.registry.cached_registry import CachedRegistry

    lineage = None
    if settings.store == "hopsworks":
        lineage = TrainingView(_hopsworks_tables(settings), ENGINEERED_FEATURES)
    remote = HopsworksRegistry(connect(settings), lineage, _prefix(settings))
    return CachedRegistry(remote, _cache(settings, settings.hopsworks_host, settings.hopsworks_project))


def _prefix(settings: Settings) -> str:
    """Return a prefix, so that simulated and real data never share a feature group or a model."""
    return "simulated_" if settings.simulated else ""


def _cache(settings: Settings, *address: str) -> Path:
    """Return where local copies of ``address`` are; copies from two places never share a folder."""
    place = "\n".join([*address, _prefix(settings)])
    return settings.cache_dir / hashlib.sha256(place.encode()).hexdigest()[:16]
