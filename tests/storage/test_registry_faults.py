"""Faults made to happen for real to model registries: kills, writers at once, a remote that is down."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback import free_port

from btc_assets.backup.snapshot import Taken, copy_models
from btc_assets.errors import BadModel, ConfigurationError, StorageError, StorageUnavailable
from btc_assets.io.s3 import Bucket
from btc_assets.storage.registry.cached_registry import CachedRegistry
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.storage.registry.s3 import S3Registry

JUNE = VintageId(dt.date(2024, 6, 1))

PUBLISH = """
import datetime as dt, os, signal, sys
from pathlib import Path
from btc_assets.storage.registry import folder
from btc_assets.storage.registry.protocol import VintageId
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
{step}
ref = folder.FolderRegistry(sys.argv[1]).publish(
    "mlp", VintageId(dt.date(2024, 6, 1)), Path(sys.argv[2])
)
"""
STEPS = {
    "nothing copied": "folder._copy_durably = die",
    "half copied": "folder.sync = die",
    "copied": "folder.Path.rename = die",
}


def child(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)


@pytest.mark.parametrize("step", STEPS)
def test_T1_a_publisher_killed_at_any_step_leaves_no_vintage(tmp_path, make_model, step) -> None:
    root, folder = tmp_path / "store", make_model()
    process = child(PUBLISH.format(step=STEPS[step]), root, folder)
    process.communicate(timeout=60)
    assert process.returncode == -9
    registry = FolderRegistry(root)
    assert registry.versions("mlp") == []
    ref = registry.publish("mlp", JUNE, folder)
    assert registry.model_folder(ref).is_dir()


def test_T9_drafts_of_killed_publishers_are_swept_up_after_a_day(tmp_path, make_model) -> None:
    registry = FolderRegistry(tmp_path)
    old, young = registry.folder_for("mlp") / ".draft-old", registry.folder_for("mlp") / ".draft-young"
    for draft in (old, young):
        draft.mkdir()
    long_ago = time.time() - 2 * 86_400
    os.utime(old, (long_ago, long_ago))
    registry.publish("mlp", JUNE, make_model())
    assert not old.exists()
    assert young.exists()


def test_T9_folders_that_are_no_vintages_are_left_alone(tmp_path, make_model) -> None:
    """Notes, a copy by hand, what a file server adds: each kept every command from listing the models."""
    registry, vintage = FolderRegistry(tmp_path), VintageId(dt.date(2024, 6, 1))
    registry.publish("mlp", vintage, make_model())
    for name in ("mlp/notes", "mlp/2024-06-01 (copy)", "mlp/@eaDir", "@eaDir", "Old Models"):
        (registry.root / name).mkdir()
    assert [ref.vintage for ref in registry.versions("mlp")] == [vintage]
    taken = Taken()
    copy_models(tmp_path, tmp_path / "copy", taken)
    assert taken.models == ["mlp 2024-06-01"]


def test_T7_of_publishers_at_once_one_wins_whole(tmp_path, make_model) -> None:
    root, folders = tmp_path / "store", [make_model(bytes([n]) * 100_000) for n in range(3)]
    processes = [child(PUBLISH.format(step=""), root, folder) for folder in folders]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    winners = [f for f, p in zip(folders, processes, strict=True) if p.returncode == 0]
    assert len(winners) == 1
    assert sum("never overwritten" in text for text in errors) == 2
    (ref,) = FolderRegistry(root).versions("mlp")
    fetched = FolderRegistry(root).model_folder(ref)
    assert (fetched / "model.onnx").read_bytes() == (winners[0] / "model.onnx").read_bytes()


S3_PUBLISH = """
import datetime as dt, sys
from pathlib import Path
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.io.s3 import Bucket
from btc_assets.storage.registry.s3 import S3Registry
S3Registry(Bucket(sys.argv[1], sys.argv[2])).publish("mlp", VintageId(dt.date(2024, 6, 1)), Path(sys.argv[3]))
"""


def test_T7_of_publishers_to_s3_at_once_one_wins_whole(bucket_url, s3_endpoint, tmp_path, make_model) -> None:
    folders = [make_model(bytes([n]) * 1_000) for n in range(3)]
    processes = [child(S3_PUBLISH, bucket_url, s3_endpoint, folder) for folder in folders]
    for process in processes:
        process.communicate(timeout=60)
    winners = [f for f, p in zip(folders, processes, strict=True) if p.returncode == 0]
    assert len(winners) == 1
    registry = CachedRegistry(S3Registry(Bucket(bucket_url, s3_endpoint)), tmp_path / "cache")
    (ref,) = registry.versions("mlp")
    fetched = registry.model_folder(ref)
    assert (fetched / "model.onnx").read_bytes() == (winners[0] / "model.onnx").read_bytes()


def test_an_upload_without_its_manifest_is_not_a_vintage(bucket_url, s3_endpoint) -> None:
    bucket = Bucket(bucket_url, s3_endpoint)
    bucket.put(f"models/mlp/{JUNE}/{'0' * 64}/model.onnx", b"half")
    assert S3Registry(bucket).versions("mlp") == []


def test_a_conditional_write_happens_once(bucket_url, s3_endpoint) -> None:
    bucket = Bucket(bucket_url, s3_endpoint)
    assert bucket.put_new("key", b"first")
    assert not bucket.put_new("key", b"second")
    assert bucket.get("key") == b"first"
    assert bucket.get("other") is None


@pytest.fixture
def cached(bucket_url, s3_endpoint, tmp_path) -> CachedRegistry:
    return CachedRegistry(S3Registry(Bucket(bucket_url, s3_endpoint)), tmp_path / "cache")


def take_down(registry: CachedRegistry) -> None:
    """Point the registry to a port where nobody answers."""
    registry.remote = S3Registry(Bucket("s3://bucket/x", f"http://127.0.0.1:{free_port()}"))


def test_M5_while_the_remote_is_down_verified_copies_stay_in_use(cached, make_model) -> None:
    ref = cached.publish("mlp", JUNE, make_model())
    later = cached.publish("mlp", VintageId(JUNE.cutoff, 1), make_model(b"b"))
    cached.model_folder(ref)
    take_down(cached)
    assert cached.versions("mlp") == [ref]
    assert (cached.model_folder(ref) / "card.md").exists()
    with pytest.raises(StorageUnavailable):
        cached.model_folder(later)
    with pytest.raises(StorageUnavailable):
        cached.publish("mlp", VintageId(JUNE.cutoff, 2), make_model(b"c"))


def test_a_damaged_local_copy_is_downloaded_again(cached, make_model) -> None:
    ref = cached.publish("mlp", JUNE, make_model())
    (cached.model_folder(ref) / "model.onnx").write_bytes(b"damaged")
    assert (cached.model_folder(ref) / "model.onnx").read_bytes() == b"weights"


def test_a_damaged_remote_model_is_never_kept(cached, make_model, bucket_url, s3_endpoint) -> None:
    ref = cached.publish("mlp", JUNE, make_model())
    key = f"models/mlp/{JUNE}/{ref.manifest_sha256}/model.onnx"
    Bucket(bucket_url, s3_endpoint).put(key, b"damaged")
    with pytest.raises(BadModel, match=r"model\.onnx hashes to"):
        cached.model_folder(ref)
    assert not cached.local.path(ref).exists()
    assert not list(cached.local.folder_for("mlp").iterdir())


def test_a_whole_model_swapped_at_the_remote_is_never_kept(
    cached, make_model, bucket_url, s3_endpoint
) -> None:
    ref = cached.publish("mlp", JUNE, make_model())
    other, bucket = make_model(b"swapped"), Bucket(bucket_url, s3_endpoint)
    bucket.put(f"models/mlp/{JUNE}/manifest.json", (other / "manifest.json").read_bytes())
    for name in ("model.onnx", "card.md", "pictures/loss/curve.png"):
        bucket.put(f"models/mlp/{JUNE}/{ref.manifest_sha256}/{name}", (other / name).read_bytes())
    with pytest.raises(BadModel, match=f"not to {ref.manifest_sha256}"):
        cached.model_folder(ref)
    assert not cached.local.path(ref).exists()


def test_local_copies_are_bounded_and_the_newest_stays(cached, make_model, monkeypatch) -> None:
    from btc_assets.storage.registry import cached_registry as module

    monkeypatch.setattr(module, "trim", lambda entries: trim(entries, limit=250_000))
    from btc_assets.storage.registry.file_cache import trim

    refs = [
        cached.publish("mlp", VintageId(JUNE.cutoff, n), make_model(bytes([n]) * 100_000)) for n in range(5)
    ]
    for ref in refs:
        cached.model_folder(ref)
    kept = [ref for ref in refs if cached.local.path(ref).exists()]
    assert kept == refs[-3:]
    assert (cached.model_folder(refs[0]) / "card.md").exists()


def test_T2_a_full_disk_publishes_nothing(tmp_path, make_model) -> None:
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))"
    process = child(PUBLISH.format(step=script), tmp_path / "store", make_model(b"x" * 100_000))
    errors = process.communicate(timeout=60)[1].decode()
    assert "nothing was published" in errors
    assert FolderRegistry(tmp_path / "store").versions("mlp") == []
    assert not list((tmp_path / "store" / "models" / "mlp").iterdir())


def test_an_address_without_a_bucket_is_a_configuration_error() -> None:
    for url in ("s3://", "https://bucket", "bucket"):
        with pytest.raises(ConfigurationError, match="not an address"):
            Bucket(url)


def test_a_bucket_that_refuses_is_not_taken_for_one_that_is_down(s3_endpoint, tmp_path, make_model) -> None:
    registry = CachedRegistry(S3Registry(Bucket("s3://no-such-bucket/x", s3_endpoint)), tmp_path / "cache")
    with pytest.raises(StorageError, match="no-such-bucket") as caught:
        registry.versions("mlp")
    assert not isinstance(caught.value, StorageUnavailable)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
