"""The optional parts of an installation, and the sentence that says which one is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from btc_assets.errors import ConfigurationError

EXTRAS: Final = {
    "graph": ("dagster", "dagster_webserver", "matplotlib", "psutil", "rfc3161_client", "yaml"),
    "train": ("tensorflow", "keras", "onnx", "optuna"),
    "web": ("dash", "flask", "flask_compress", "gunicorn", "brotli", "plotly", "psutil", "yaml"),
    "aws": ("boto3", "botocore", "dagster_aws", "dagster_postgres"),
    "arena": ("arch", "scipy", "statsforecast"),
    "hopsworks": ("hopsworks", "hopsworks_common", "pyarrow", "confluent_kafka", "fastavro"),
}
"""Modules that each extra of pyproject.toml installs and that our code imports."""


def require_extras(*names: str, purpose: str) -> None:
    """Check that every named extra is installed, before anything is started.

    Raises:
        ConfigurationError: a module of one of them is missing; names the module and all extras to install.
    """
    for name in names:
        for module in EXTRAS[name]:
            if find_spec(module) is None:
                raise ConfigurationError(_sentence(purpose, module, names))


def explain_missing(error: ModuleNotFoundError, purpose: str) -> str | None:
    """Return the sentence for a failed import of an extra's module; None for any other module."""
    module = (error.name or "").split(".")[0]
    for name, modules in EXTRAS.items():
        if module in modules:
            return _sentence(purpose, module, [name])
    return None


def _sentence(purpose: str, module: str, extras: tuple[str, ...] | list[str]) -> str:
    wanted = ",".join(extras)
    return (
        f"{purpose} needs {module}, which is not installed: install btc-assets[{wanted}], or btc-assets[all]"
    )
