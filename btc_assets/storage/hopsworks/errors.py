"""The client's and the network's errors as this project's, and its chatter kept out of our output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from btc_assets.errors import ConfigurationError, StorageError, StorageUnavailable


@contextlib.contextmanager
def errors(action: str) -> Iterator[None]:
    """Turn the client's and the network's errors during ``action`` into this project's."""
    import requests
    from hopsworks_common.client.exceptions import FeatureStoreException, ModelRegistryException, RestAPIError

    try:
        # The client prints progress, which would spoil a command's output.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except RestAPIError as error:
        raise _translated(action, error) from error
    except requests.exceptions.SSLError as error:
        raise ConfigurationError(untrusted(action)) from error
    except (requests.exceptions.RequestException, ConnectionError, TimeoutError) as error:
        raise StorageUnavailable(
            f"cannot {action}: Hopsworks does not answer ({type(error).__name__})"
        ) from error
    except FeatureStoreException as error:
        # The client wraps whatever Arrow Flight raised in this one sentence.
        passing = "Query Service" in str(error)
        raise (StorageUnavailable if passing else StorageError)(f"cannot {action}: {error}") from error
    except ModelRegistryException as error:
        raise StorageError(f"cannot {action}: {error}") from error


def _translated(action: str, error: Any) -> StorageError | ConfigurationError:
    status = error.response.status_code
    text = f"cannot {action}: Hopsworks answers {status}, {_server_message(error)}"
    if status in {401, 403}:
        return ConfigurationError(f"{text}; check the API key's value and scopes")
    return StorageUnavailable(text) if status >= 500 and status != 501 else StorageError(text)


def _server_message(error: Any) -> str:
    try:
        return str(error.response.json().get("errorMsg", "no message"))
    except ValueError:
        return "no message"


def untrusted(action: str) -> str:
    """Return what to say when a server's certificate cannot be verified."""
    return (
        f"cannot {action}: the server's certificate is not trusted. Point HOPSWORKS_TRUST_STORE_PATH to the "
        "CA's PEM file, or set HOPSWORKS_HOSTNAME_VERIFICATION=false if you accept any server"
    )
