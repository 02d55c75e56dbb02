#!/bin/sh
# Fill a folder with release 0.2.0, for tests/ledger/test_release_0_2_0.py:
#   sh tests/support/fill_release_0_2_0.sh CHECKOUT_OF_0.2.0 OUT.tar.xz
# The clock stands at ten past midnight UTC after the origin, 2020-01-05, so that its forecast is live. Nothing is
# left out but Dagster's own databases, which hold no market data and are large.
set -e
checkout=$1 out=$(realpath -m "$2") folder=$(mktemp -d)
export BTC_SOURCE=simulated BTC_DATA_DIR="$folder" BTC_CACHE_DIR="$folder/cache"
btc() {
    "$checkout/.venv/bin/python" -c "
import datetime as dt, sys, time_machine
with time_machine.travel(dt.datetime(2020, 1, 6, 0, 10, tzinfo=dt.UTC)):
    from btc_assets.cli import main
    main()" "$@"
}
cd "$checkout"
btc backfill --from 2017-08-17 --to 2020-01-05 --assets raw_klines
btc backfill --from 2019-12-10 --to 2020-01-05 --assets raw_klines_4h
btc backfill --from 2017-08-17 --to 2020-01-05 --assets engineered_features
btc backfill --from 2020-01-05 --to 2020-01-05 --assets mlp_model,lstm_model,forecasts
btc verify
cd "$folder"
tar cJf "$out" --sort=name --owner=0 --group=0 --numeric-owner \
    simulated/tables simulated/models simulated/dagster/dagster.yaml
rm -r "$folder"
