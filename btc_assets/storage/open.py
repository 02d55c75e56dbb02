"""The stores that the settings name. Nothing of a backend is imported until it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from btc_assets.settings import Settings
from btc_assets.storage.registry import ModelRegistry
from btc_assets.storage.tables import TableStore

if TYPE_CHECKING:
    from btc_assets.storage.hopsworks.tables import HopsworksTables


def open_tables(settings: Settings) -> TableStore:
    """The table store of ``settings.store``: Delta tables below ``settings.root``, or Hopsworks.

    Raises:
        ConfigurationError: a setting the backend needs is missing.
    """
    if settings.store == "hopsworks":
        return _hopsworks_tables(settings)
    from btc_assets.storage.delta import DeltaTables

    if not settings.root.startswith("s3://"):
        return DeltaTables(settings.root)
    from btc_assets.storage.s3 import delta_options

    return DeltaTables(settings.root, delta_options(settings.s3_endpoint), settings.cache_dir)


def open_registry(settings: Settings) -> ModelRegistry:
    """The model registry of ``settings.registry``: a folder or bucket, or Hopsworks.

    Raises:
        ConfigurationError: a setting the backend needs is missing.
    """
    if settings.registry == "hopsworks":
        return _hopsworks_registry(settings)
    if not settings.root.startswith("s3://"):
        from btc_assets.storage.folder import FolderRegistry

        return FolderRegistry(settings.root)
    from btc_assets.storage.cached import CachedRegistry
    from btc_assets.storage.s3 import Bucket
    from btc_assets.storage.s3_registry import S3Registry

    return CachedRegistry(S3Registry(Bucket(settings.root, settings.s3_endpoint)), settings.cache_dir)


def _hopsworks_tables(settings: Settings) -> HopsworksTables:
    from btc_assets.storage.hopsworks.login import connect
    from btc_assets.storage.hopsworks.tables import HopsworksTables

    return HopsworksTables(connect(settings), settings.hopsworks_data_source)


def _hopsworks_registry(settings: Settings) -> ModelRegistry:
    from btc_assets.modeling.features import ENGINEERED_FEATURES
    from btc_assets.storage.cached import CachedRegistry
    from btc_assets.storage.hopsworks.lineage import TrainingView
    from btc_assets.storage.hopsworks.login import connect
    from btc_assets.storage.hopsworks.registry import HopsworksRegistry

    lineage = None
    if settings.store == "hopsworks":
        lineage = TrainingView(_hopsworks_tables(settings), ENGINEERED_FEATURES)
    return CachedRegistry(HopsworksRegistry(connect(settings), lineage), settings.cache_dir)
