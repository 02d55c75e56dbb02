"""What every model registry must do, and what it must refuse."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
from pathlib import Path

import pytest

from btc_assets.errors import BadModel, StorageError
from btc_assets.storage.registry.manifest import MANIFEST, verify, write_manifest
from btc_assets.storage.registry.protocol import VintageId

JUNE, JULY = VintageId(dt.date(2024, 6, 1)), VintageId(dt.date(2024, 7, 1))


def publish(registry, folder: Path, vintage: VintageId = JUNE, name: str = "mlp"):
    return registry.publish(name, vintage, folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_published_vintage_comes_back_byte_for_byte(registry, make_model) -> None:
    folder = make_model()
    ref = publish(registry, folder)
    assert registry.get("mlp", JUNE) == ref
    assert ref.metrics == {"pinball": 0.97}
    fetched = registry.model_folder(ref)
    assert contents(fetched) == contents(folder)
    verify(fetched, ref.manifest_sha256)


def test_a_metric_named_with_a_number_comes_back_under_its_name(registry, make_model) -> None:
    metrics = {"train_coverage_80": 0.81, "train_loss_h1": 0.97}
    ref = registry.publish("mlp", JUNE, make_model(metrics=metrics))
    assert registry.get("mlp", JUNE) == ref
    assert dict(ref.metrics) == metrics


def test_a_metric_name_that_a_backend_would_mangle_is_refused(registry, make_model) -> None:
    metrics = {"train__loss": 0.97}
    with pytest.raises(StorageError, match="train__loss"):
        registry.publish("mlp", JUNE, make_model(metrics=metrics))


def test_a_model_of_23_megabytes_comes_back_byte_for_byte(registry, make_model) -> None:
    folder = make_model(content=random.Random(1).randbytes(23 * 2**20))
    assert contents(registry.model_folder(publish(registry, folder))) == contents(folder)


def test_an_unknown_name_or_vintage_is_none(registry, make_model) -> None:
    assert registry.get("mlp", JUNE) is None
    assert registry.versions("mlp") == []
    publish(registry, make_model())
    assert registry.get("mlp", JULY) is None
    assert registry.get("lstm", JUNE) is None


def test_publishing_the_same_content_again_is_no_error(registry, make_model) -> None:
    folder = make_model()
    assert publish(registry, folder) == publish(registry, folder)
    assert len(registry.versions("mlp")) == 1


def test_a_vintage_is_never_overwritten(registry, make_model) -> None:
    first = publish(registry, make_model(b"first"))
    with pytest.raises(StorageError, match="never overwritten"):
        publish(registry, make_model(b"second"))
    assert registry.get("mlp", JUNE) == first
    assert (registry.model_folder(first) / "model.onnx").read_bytes() == b"first"


def test_versions_are_listed_oldest_first_revisions_after_their_cutoff(registry, make_model) -> None:
    revised = VintageId(JUNE.cutoff, 1)
    for n, vintage in enumerate([JULY, revised, JUNE]):
        publish(registry, make_model(bytes([n])), vintage)
    assert [ref.vintage for ref in registry.versions("mlp")] == [JUNE, revised, JULY]


@pytest.mark.parametrize("name", ["", "MLP", "a-b", "../up", "a/b", "1st", "a" * 64, "mlp\n"])
def test_a_name_that_a_backend_would_mangle_is_refused(registry, make_model, name) -> None:
    with pytest.raises(StorageError, match="model name"):
        publish(registry, make_model(), name=name)


def test_a_metric_that_is_not_finite_is_refused(registry, make_model) -> None:
    folder = make_model()
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"pinball":0.97', '"pinball":1e999'))
    assert text != (folder / MANIFEST).read_text()
    with pytest.raises(StorageError, match="finite"):
        publish(registry, folder)


def test_a_folder_that_does_not_match_its_manifest_is_not_published(registry, make_model) -> None:
    folder = make_model()
    (folder / "model.onnx").write_bytes(b"weightz")
    with pytest.raises(BadModel, match=r"model\.onnx hashes to"):
        publish(registry, folder)
    assert registry.versions("mlp") == []


@pytest.mark.parametrize("name", ["model.h5", "scaler.pkl", "a/B.PICKLE", "weights.pt"])
def test_M4_files_that_can_run_code_are_refused(make_model, name) -> None:
    folder = make_model()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(BadModel, match="can run code"):
        write_manifest(folder, {})
    (folder / MANIFEST).write_text(json.dumps({"files": {name: "0" * 64}}))
    with pytest.raises(BadModel, match="can run code"):
        verify(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "a\\b", "./a", "manifest.json"])
def test_a_manifest_that_points_outside_its_folder_is_refused(make_model, name) -> None:
    folder = make_model()
    (folder / MANIFEST).write_text(json.dumps({"files": {name: "0" * 64}}))
    with pytest.raises(BadModel, match="plain path"):
        verify(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files":{}}', '{"files":{"a":1}}', '{"files":NaN}'])
def test_a_manifest_that_is_not_one_is_refused(make_model, text) -> None:
    folder = make_model()
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BadModel, match=r"manifest\.json"):
        verify(folder)


def test_a_manifest_with_another_hash_than_expected_is_refused(make_model) -> None:
    folder = make_model()
    with pytest.raises(BadModel, match="not to 0000"):
        verify(folder, "0" * 64)


def test_a_manifest_cannot_hold_a_nan_or_an_object(make_model) -> None:
    for value in (math.nan, object()):
        with pytest.raises(BadModel, match="finite JSON"):
            write_manifest(make_model(), {"loss": value})


def test_equal_folders_have_equal_manifests(make_model) -> None:
    one, two = make_model(seed=1, kind="mlp"), make_model(kind="mlp", seed=1)
    assert (one / MANIFEST).read_bytes() == (two / MANIFEST).read_bytes()


def damage(folder: Path, how: str) -> None:
    if how == "missing":
        (folder / "card.md").unlink()
    elif how == "unlisted":
        (folder / "more.txt").write_text("x")
    elif how == "truncated":
        (folder / "model.onnx").write_bytes(b"wei")
    elif how == "link":
        (folder / "card.md").unlink()
        (folder / "card.md").symlink_to(folder / "model.onnx")
    else:
        (folder / MANIFEST).write_text("{}")


@pytest.mark.parametrize("how", ["missing", "unlisted", "truncated", "link", "manifest"])
def test_M4_a_damaged_model_is_refused_even_after_it_was_verified(tmp_path, make_model, how) -> None:
    from btc_assets.storage.registry.folder import FolderRegistry

    registry = FolderRegistry(tmp_path / "store")
    ref = publish(registry, make_model())
    damage(registry.model_folder(ref), how)
    with pytest.raises(BadModel):
        registry.model_folder(ref)


def test_T5_every_flipped_bit_in_a_model_is_caught(tmp_path, make_model) -> None:
    from btc_assets.storage.registry.folder import FolderRegistry

    registry = FolderRegistry(tmp_path / "store")
    ref = publish(registry, make_model(random.Random(3).randbytes(5_000)))
    files = sorted(p for p in registry.model_folder(ref).rglob("*") if p.is_file())
    chance = random.Random(4)
    for _ in range(200):
        path = chance.choice(files)
        right = path.read_bytes()
        wrong = bytearray(right)
        wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
        path.write_bytes(wrong)
        with pytest.raises(BadModel):
            registry.model_folder(ref)
        path.write_bytes(right)
    registry.model_folder(ref)
