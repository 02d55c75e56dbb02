"""A bucket that everybody may read, from a process without keys; what is not public is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from btc_assets.errors import ConfigurationError, StorageError, Unsupported
from btc_assets.factory import open_registry, open_tables
from btc_assets.settings import Settings, load
from btc_assets.storage.registry.protocol import VintageId

from .conftest import DAY0, SAMPLES, samples

VINTAGE = VintageId(DAY0)


@pytest.fixture
def owner(bucket_url: str, s3_endpoint: str, tmp_path: Path) -> Settings:
    """Settings of whoever has the keys."""
    return load({}, data_dir=bucket_url, s3_endpoint=s3_endpoint, cache_dir=tmp_path / "owner")


@pytest.fixture
def filled(owner: Settings, make_model: Callable[..., Path]) -> Settings:
    """The owner's, with a table and a model in the bucket."""
    open_tables(owner).upsert(SAMPLES, samples(1, 2))
    open_registry(owner).publish("mlp", VINTAGE, make_model())
    return owner


@pytest.fixture
def stranger(filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of somebody without keys; none are in the environment from here on."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the keys that it found
    return filled.model_copy(update={"cache_dir": tmp_path / "stranger", "s3_anonymous": True})


def make_public(settings: Settings) -> None:
    """Let everybody read and list the bucket, as its owner does."""
    import boto3

    name = settings.data_dir.split("/")[2]
    arn = f"arn:aws:s3:::{name}"
    statement = [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": arn},
    ]
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint, **keys)
    client.put_bucket_policy(
        Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement})
    )


def test_tables_and_models_of_a_public_bucket_are_read_without_keys(stranger: Settings) -> None:
    make_public(stranger)
    tables = open_tables(stranger)
    assert_frame_equal(tables.read(SAMPLES), samples(1, 2))
    assert tables.version(SAMPLES) == 1
    registry = open_registry(stranger)
    (ref,) = registry.versions("mlp")
    assert (registry.model_folder(ref) / "card.md").read_text() == "# A model\n"


def test_T14_whatever_would_write_is_refused_and_says_why(
    stranger: Settings, make_model: Callable[..., Path]
) -> None:
    make_public(stranger)
    said = r"can only be read \(BTC_S3_ANONYMOUS=1 sends no keys\); nothing was written"
    for write in (
        lambda t: t.ensure_table(SAMPLES),
        lambda t: t.upsert(SAMPLES, samples(3)),
        lambda t: t.insert(SAMPLES, samples(3)),
        lambda t: t.delete_keys(SAMPLES, samples(1).select(SAMPLES.key)),
    ):
        with pytest.raises(Unsupported, match=said):
            write(open_tables(stranger))
    with pytest.raises(StorageError, match="BTC_S3_ANONYMOUS=1 sends no keys"):
        open_registry(stranger).publish("mlp", VintageId(DAY0, 1), make_model())


def test_T14_a_bucket_that_is_not_public_says_what_its_owner_must_allow(stranger: Settings) -> None:
    with pytest.raises(StorageError, match=r"lets everybody read and list \(s3:GetObject, s3:ListBucket\)"):
        open_registry(stranger).versions("mlp")
    with pytest.raises(StorageError, match="table samples"):
        open_tables(stranger).read(SAMPLES)


def test_without_keys_and_without_the_setting_it_says_so(stranger: Settings) -> None:
    make_public(stranger)
    keyless = stranger.model_copy(update={"s3_anonymous": False})
    with pytest.raises(ConfigurationError, match=r"no AWS credentials.*BTC_S3_ANONYMOUS=1"):
        open_registry(keyless).versions("mlp")
    with pytest.raises(ConfigurationError, match=r"no AWS credentials.*BTC_S3_ANONYMOUS=1"):
        open_tables(keyless).read(SAMPLES)
