"""The stores that the settings name. Nothing of a backend is imported until it is asked for."""

from __future__ import annotations

from btc_assets.settings import Settings
from btc_assets.storage.registry import ModelRegistry
from btc_assets.storage.tables import TableStore


def open_tables(settings: Settings) -> TableStore:
    """The table store of ``settings.store``: Delta tables below ``settings.root``, or Hopsworks.

    Raises:
        ConfigurationError: a setting the backend needs is missing.
    """
    from btc_assets.storage.delta import DeltaTables

    return DeltaTables(settings.root)


def open_registry(settings: Settings) -> ModelRegistry:
    """The model registry of ``settings.registry``: a folder or bucket, or Hopsworks.

    Raises:
        ConfigurationError: a setting the backend needs is missing.
    """
    from btc_assets.storage.folder import FolderRegistry

    return FolderRegistry(settings.root)
