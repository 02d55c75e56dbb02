"""What the Hopsworks backend leaves on the server, what it costs, and what it survives."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from btc_assets.errors import ConfigurationError, StorageUnavailable, Unsupported
from btc_assets.storage.hopsworks.lineage import TrainingView
from btc_assets.storage.hopsworks.registry import HopsworksRegistry
from btc_assets.storage.hopsworks.tables import HopsworksTables
from btc_assets.storage.registry.cached_registry import CachedRegistry
from btc_assets.storage.registry.protocol import VintageId

from .conftest import REAL_HOPSWORKS, SAMPLES, TEST_PREFIX, day, nulled, older, reopen, samples

pytestmark = pytest.mark.hopsworks
VINTAGE = VintageId(day(600))


def group(server) -> dict:
    (found,) = server.features.groups.values()
    return found


def test_the_same_contract_holds_on_a_real_server(request: pytest.FixtureRequest) -> None:
    if not REAL_HOPSWORKS:
        pytest.skip("unverified: HOPSWORKS_API_KEY is not set, so only the emulator was asked")
    assert "127.0.0.1" not in request.getfixturevalue("hopsworks_settings").hopsworks_host
    tables = request.getfixturevalue("hopsworks_tables")
    tables.upsert(SAMPLES, samples(0, 1))
    assert tables.read(SAMPLES).equals(samples(0, 1))


def test_the_group_and_each_column_are_described(hopsworks_server, hopsworks_tables) -> None:
    hopsworks_tables.ensure_table(SAMPLES)
    there = group(hopsworks_server)
    assert there["name"] == TEST_PREFIX + "samples"
    assert there["description"] == SAMPLES.meaning
    assert there["eventTime"] == "date"
    assert [f["name"] for f in there["features"] if f["primary"]] == ["symbol"]
    meanings = {f["name"]: f["description"] for f in there["features"]}
    assert meanings == {column.name: column.meaning for column in SAMPLES.columns}


def test_a_project_on_hopsfs_is_refused_with_what_to_set(hopsworks_server, hopsworks_tables) -> None:
    hopsworks_server.features.on_hopsfs = True
    with pytest.raises(ConfigurationError, match="BTC_HOPSWORKS_DATA_SOURCE"):
        hopsworks_tables.upsert(SAMPLES, samples(0))
    assert hopsworks_server.features.groups == {}
    assert not hopsworks_tables.exists(SAMPLES)


def test_groups_are_kept_on_the_named_data_source(hopsworks_server, hopsworks_project, monkeypatch) -> None:
    hopsworks_server.features.on_hopsfs = True
    tables = HopsworksTables(hopsworks_project, "emulated_s3", TEST_PREFIX)
    tables.upsert(SAMPLES, samples(0))
    assert group(hopsworks_server)["dataSource"]["storageConnector"]["name"] == "emulated_s3"
    assert_frame_equal(tables.read(SAMPLES), samples(0))


def count(server, method: str, path: str) -> int:
    return sum(m == method and p.endswith(path) for m, p in server.calls)


@pytest.mark.parametrize("rows", [1, 3_400])
def test_a_day_and_a_history_are_one_insert_each(hopsworks_server, hopsworks_tables, rows) -> None:
    hopsworks_tables.upsert(SAMPLES, samples(9_000))
    hopsworks_server.calls.clear()
    hopsworks_tables.upsert(SAMPLES, samples(*range(rows)))
    assert count(hopsworks_server, "POST", "/commits") == 1
    assert len(hopsworks_server.calls) <= 8
    hopsworks_server.calls.clear()
    hopsworks_tables.upsert(SAMPLES, samples(*range(rows)))
    assert count(hopsworks_server, "POST", "/commits") == 0


def test_windows_are_filtered_by_the_server(hopsworks_server, hopsworks_tables, monkeypatch) -> None:
    hopsworks_tables.upsert(SAMPLES, samples(*range(100)))
    sent = []
    query = hopsworks_server.features.query
    monkeypatch.setattr(hopsworks_server.features, "query", lambda body: sent.append(body) or query(body))
    hopsworks_tables.read(SAMPLES, columns=["close"], start=day(3), end=day(5))
    (body,) = sent
    assert json.dumps(body["filter"]).count(str(day(3))) == 1
    assert {f["name"] for f in body["leftFeatures"]} == {"close", "date", "symbol"}


def delta_types(server) -> dict[str, str]:
    """The columns of the group's Delta table."""
    fields = DeltaTable(group(server)["location"]).schema().fields
    return {field.name: str(field.type) for field in fields}


@pytest.mark.parametrize("column", [c for c in SAMPLES.schema if c not in SAMPLES.key])
def test_a_column_that_was_added_later_is_like_one_from_the_start(
    hopsworks_server, hopsworks_tables, column
) -> None:
    hopsworks_tables.ensure_table(SAMPLES)
    types, described = delta_types(hopsworks_server), group(hopsworks_server)["features"]
    hopsworks_server.reset()
    reopen(hopsworks_tables).upsert(older(column), samples(0).drop(column))
    newer = reopen(hopsworks_tables)
    hopsworks_server.calls.clear()
    newer.upsert(SAMPLES, samples(1))
    newer.upsert(SAMPLES, samples(2))
    puts = [path for method, path in hopsworks_server.calls if method == "PUT" and "/featuregroups/" in path]
    assert len(puts) == 1
    assert delta_types(hopsworks_server) == types
    by_name = {feature["name"]: feature for feature in group(hopsworks_server)["features"]}
    assert by_name.keys() == types.keys()
    for feature in described:
        same = ("type", "description", "primary", "partition")
        assert [by_name[feature["name"]][part] for part in same] == [feature[part] for part in same]


def test_an_upgrade_that_was_cut_short_is_made_good_by_the_next_write(
    hopsworks_server, hopsworks_tables
) -> None:
    from hopsworks_emulator.server import failing

    hopsworks_tables.upsert(older("close"), samples(0).drop("close"))

    def lose_puts(handler) -> bool:
        hopsworks_server.faults.append(lose_puts)
        return handler.command == "PUT" and "/featuregroups/" in handler.path and failing(500)(handler)

    hopsworks_server.faults[:] = [lose_puts]
    newer = reopen(hopsworks_tables)
    with pytest.raises(StorageUnavailable, match=r"add \['close'\] to feature group"):
        newer.upsert(SAMPLES, samples(1))
    hopsworks_server.faults.clear()
    assert "close" in delta_types(hopsworks_server)
    assert_frame_equal(newer.read(SAMPLES), nulled(samples(0), "close"))
    newer.upsert(SAMPLES, samples(1))
    assert newer.read(SAMPLES)["close"].to_list() == [None, 1.0]


def test_an_upgrade_makes_a_new_version_of_the_feature_view_and_leaves_the_old_one(
    hopsworks_server, hopsworks_tables
) -> None:
    hopsworks_tables.upsert(older("close"), samples(*range(700)).drop("close"))
    TrainingView(hopsworks_tables, older("close")).training_set(VINTAGE)
    newer = reopen(hopsworks_tables)
    newer.upsert(SAMPLES, samples(700))
    assert TrainingView(newer, SAMPLES).training_set(VintageId(day(650))) is not None
    assert_frame_equal(newer.training_rows(SAMPLES), newer.read(SAMPLES))
    first, second = hopsworks_server.features.views.values()
    assert (first["version"], second["version"]) == (1, 2)
    assert "close" not in {feature["name"] for feature in first["features"]}
    assert "close" in {feature["name"] for feature in second["features"]}


def test_training_reads_through_the_feature_view_and_never_past_its_end(
    hopsworks_server, hopsworks_tables
) -> None:
    hopsworks_tables.ensure_table(SAMPLES)
    assert hopsworks_tables.training_rows(SAMPLES).is_empty()
    hopsworks_tables.upsert(SAMPLES, samples(3, 1, 2))
    hopsworks_server.calls.clear()
    # The emulator's query service does not filter by a view's window: what is cut off, we cut off.
    assert_frame_equal(hopsworks_tables.training_rows(SAMPLES, day(3)), samples(1, 2))
    asked = [path for _, path in hopsworks_server.calls]
    assert any(
        f"/featureview/{TEST_PREFIX}samples_view/" in path and "/query/batch" in path for path in asked
    )


def test_simulated_and_real_tables_never_share_a_group(hopsworks_project, hopsworks_tables) -> None:
    simulated = HopsworksTables(hopsworks_project, prefix="simulated_")
    hopsworks_tables.upsert(SAMPLES, samples(0))
    simulated.upsert(SAMPLES, samples(0, close=9.0))
    assert_frame_equal(hopsworks_tables.read(SAMPLES), samples(0))


def test_a_type_or_name_that_would_be_changed_is_refused(hopsworks_tables) -> None:
    import dataclasses

    import polars as pl

    from btc_assets.contracts import Column

    for column in (Column("Close", pl.Float64, "x"), Column("t", pl.Time, "x"), Column("n", pl.UInt64, "x")):
        spec = dataclasses.replace(SAMPLES, columns=(*SAMPLES.columns, column))
        with pytest.raises(Unsupported, match=column.name):
            hopsworks_tables.ensure_table(spec)


def test_a_cut_connection_is_tried_again(hopsworks_server, hopsworks_tables) -> None:
    from hopsworks_emulator.server import cut

    hopsworks_tables.upsert(SAMPLES, samples(0, 1))
    hopsworks_server.faults[:] = [cut]
    assert hopsworks_tables.version(SAMPLES) == 1
    assert hopsworks_server.faults == []


@pytest.mark.parametrize("status", [502, 503])
def test_a_passing_server_error_is_tried_again(hopsworks_server, hopsworks_tables, status) -> None:
    from hopsworks_emulator.server import failing

    hopsworks_tables.upsert(SAMPLES, samples(0))
    hopsworks_server.faults[:] = [failing(status), failing(status)]
    assert hopsworks_tables.version(SAMPLES) == 1


def test_a_lasting_server_error_is_unavailable_not_an_answer(hopsworks_server, hopsworks_tables) -> None:
    from hopsworks_emulator.server import failing

    hopsworks_tables.upsert(SAMPLES, samples(0))
    hopsworks_server.faults[:] = [failing(500)] * 20
    with pytest.raises(StorageUnavailable, match="500"):
        hopsworks_tables.read(SAMPLES)
    hopsworks_server.faults.clear()
    assert_frame_equal(hopsworks_tables.read(SAMPLES), samples(0))


def test_a_server_that_answers_too_late_is_unavailable(
    hopsworks_server, hopsworks_tables, monkeypatch
) -> None:
    from hopsworks_emulator.server import slow

    from btc_assets.storage.hopsworks import login

    hopsworks_tables.upsert(SAMPLES, samples(0))
    monkeypatch.setattr(login, "READ_TIMEOUT", 0.2)
    hopsworks_server.faults[:] = [slow(0.6)] * 4
    with pytest.raises(StorageUnavailable, match="does not answer"):
        hopsworks_tables.version(SAMPLES)


def test_a_write_whose_answer_was_lost_can_be_repeated(hopsworks_server, hopsworks_tables) -> None:
    from hopsworks_emulator.server import failing

    hopsworks_tables.upsert(SAMPLES, samples(0))
    commits = hopsworks_server.features.commits[group(hopsworks_server)["id"]]

    def lose_commits(handler) -> bool:
        if handler.command == "POST" and handler.path.endswith("/commits"):
            return failing(500)(handler)
        hopsworks_server.faults.append(lose_commits)
        return False

    hopsworks_server.faults[:] = [lose_commits]
    with pytest.raises(StorageUnavailable):
        hopsworks_tables.upsert(SAMPLES, samples(0, 1, 2))
    hopsworks_server.faults.clear()
    assert len(commits) == 1
    hopsworks_tables.upsert(SAMPLES, samples(0, 1, 2))
    assert_frame_equal(hopsworks_tables.read(SAMPLES), samples(0, 1, 2))


@pytest.fixture
def with_lineage(hopsworks_project, hopsworks_tables, hopsworks_registry, tmp_path) -> CachedRegistry:
    hopsworks_tables.upsert(SAMPLES, samples(*range(700)))
    lineage = TrainingView(hopsworks_tables, SAMPLES)
    return CachedRegistry(HopsworksRegistry(hopsworks_project, lineage, TEST_PREFIX), tmp_path / "cache")


def facts(**more: object) -> dict[str, object]:
    return {"features": ["close", "trades"], "hyperparameters": {"window": 30}, **more}


def test_a_vintage_names_its_feature_view_and_split(hopsworks_server, with_lineage, make_model) -> None:
    with_lineage.publish("mlp", VINTAGE, make_model(**facts()))
    ((name, _), _) = next(iter(hopsworks_server.features.views.items()))
    assert name == TEST_PREFIX + "samples_view"
    (dataset,) = hopsworks_server.features.training.values()
    assert dataset["description"] == f"rows up to {VINTAGE.cutoff}"
    ends = {split["name"]: split["endTime"] for split in dataset["splits"]}
    as_day = {k: dt.datetime.fromtimestamp(v / 1000, dt.UTC).date() for k, v in ends.items()}
    assert as_day["test"] == VINTAGE.cutoff
    assert as_day["train"] == VINTAGE.cutoff - dt.timedelta(days=365)
    assert hopsworks_server.features.statistics
    (model,) = hopsworks_server.models.all.values()
    assert model["version"] == VINTAGE.number
    assert model["featureView"]["name"] == name
    assert model["trainingDatasetVersion"] == dataset["version"]


def test_a_second_model_of_a_cutoff_shares_the_training_dataset(
    hopsworks_server, with_lineage, make_model
) -> None:
    for name in ("mlp", "lstm"):
        with_lineage.publish(name, VINTAGE, make_model(**facts()))
    assert len(hopsworks_server.features.training) == 1


def test_the_server_compares_the_newest_days_with_what_the_newest_vintage_was_trained_on(
    hopsworks_server, with_lineage, make_model
) -> None:
    for cutoff in (day(590), day(600)):
        with_lineage.publish("mlp", VintageId(cutoff), make_model(**facts()))
    (config,) = hopsworks_server.features.monitoring.values()
    assert config["referenceWindowConfig"]["trainingDatasetVersion"] == 2
    window = config["detectionWindowConfig"]
    assert (window["timeOffset"], window["windowLength"]) == ("30d", "30d")
    compared = {
        each["featureName"]: each["statisticsComparisonConfigs"][0]
        for each in config["featureStatisticsConfigs"]
    }
    assert {"close", "trades"} <= set(compared)
    assert {(each["distributionMetric"], each["threshold"]) for each in compared.values()} == {("PSI", 0.2)}


def test_a_server_that_cannot_monitor_keeps_no_model_from_being_published(
    hopsworks_server, with_lineage, make_model, monkeypatch, caplog
) -> None:
    from hopsworks_emulator.answers import Refused

    def refuse(*_: object) -> None:
        raise Refused(403, 320004, "no scope JOB")

    monkeypatch.setattr(hopsworks_server.features, "_monitoring", refuse)
    ref = with_lineage.publish("mlp", VINTAGE, make_model(**facts()))
    assert with_lineage.get("mlp", VINTAGE) == ref
    assert "drift of the features is not monitored" in caplog.text
    assert "no scope JOB" in caplog.text


def test_the_client_misses_nothing_of_a_models_provenance(
    with_lineage, hopsworks_registry, make_model, recwarn
) -> None:
    with_lineage.publish("mlp", VINTAGE, make_model())
    hopsworks_registry.publish("lstm", VINTAGE, make_model())
    assert [w.message for w in recwarn if w.category.__name__ == "ProvenanceWarning"] == []


def test_a_model_has_its_card_pictures_schema_and_input_example(
    hopsworks_server, hopsworks_registry, make_model
) -> None:
    hopsworks_registry.publish("mlp", VINTAGE, make_model(**facts()))
    folder = hopsworks_server.files.root / "Models" / f"{TEST_PREFIX}mlp" / str(VINTAGE.number)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"card.md", "pictures/loss/curve.png", "manifest.json"} < {n.removeprefix("Files/") for n in names}
    example = next(folder.rglob("input_example.json"))
    assert len(json.loads(example.read_text())[0]) == 30
    assert "q500" in next(folder.rglob("model_schema.json")).read_text()


def test_an_upload_that_was_killed_does_not_block_its_version(
    hopsworks_server, hopsworks_registry, make_model
) -> None:
    left = hopsworks_server.files.root / "Models" / f"{TEST_PREFIX}mlp" / str(VINTAGE.number)
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half")
    ref = hopsworks_registry.publish("mlp", VINTAGE, make_model())
    assert (hopsworks_registry.model_folder(ref) / "model.onnx").read_bytes() == b"weights"


def test_M5_a_registry_that_is_down_leaves_the_local_copy_in_use(
    hopsworks_server, hopsworks_registry, make_model
) -> None:
    from hopsworks_emulator.server import failing

    ref = hopsworks_registry.publish("mlp", VINTAGE, make_model())
    hopsworks_registry.model_folder(ref)
    hopsworks_server.faults[:] = [failing(500)] * 50
    assert hopsworks_registry.versions("mlp") == [ref]
    assert (hopsworks_registry.model_folder(ref) / "card.md").exists()
    hopsworks_server.faults.clear()
    assert hopsworks_registry.get("mlp", VINTAGE) == ref


def test_settings_alone_choose_the_backend(hopsworks_project, hopsworks_settings) -> None:
    from btc_assets.factory import open_registry, open_tables

    tables = open_tables(hopsworks_settings)
    assert isinstance(tables, HopsworksTables)
    assert tables.prefix == ""
    registry = open_registry(hopsworks_settings)
    assert isinstance(registry, CachedRegistry)
    assert isinstance(registry.remote.lineage, TrainingView)
