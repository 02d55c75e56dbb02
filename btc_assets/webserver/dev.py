"""``python -m btc_assets.webserver.dev`` is ``dagster dev`` with the filtered webserver; same options."""

from __future__ import annotations

from typing import Any

from dagster._cli import dev

WEBSERVER = "dagster_webserver"


def main() -> None:
    """Run Dagster's command; where it starts the module of its webserver, start ours."""
    start = vars(dev)["open_ipc_subprocess"]

    def start_filtered(parts: list[str], **kwargs: Any) -> Any:
        return start([__package__ if part == WEBSERVER else part for part in parts], **kwargs)

    vars(dev)["open_ipc_subprocess"] = start_filtered
    dev.dev_command(prog_name="python -m btc_assets.webserver.dev")


if __name__ == "__main__":
    main()
