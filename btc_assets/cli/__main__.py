"""``python -m btc_assets.cli`` is ``btc``."""

from btc_assets.cli import main

main()
