"""A form whose question stands in the address, too: either may be changed, and the other follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from dash import Dash, Input, Output, ctx, dcc, html, no_update
from dash.development.base_component import Component

from btc_assets.errors import StorageError
from btc_dash.data.query import arguments
from btc_dash.server.rate_limit import TooManyRequests


class Question(Protocol):
    """What a form asks."""

    @property
    def search(self) -> str:
        """Return it as the end of an address."""


Q = TypeVar("Q", bound=Question)


def page(prefix: str, search: str, intro: list[Component], controls: Component, body: Any) -> Component:
    """Lay out a page with a form: what it is about, the form, and the ``body`` that the question decides."""
    return html.Div(
        [
            dcc.Location(id=f"{prefix}-address", refresh=False, search=search),
            html.Section(intro, className="intro"),
            controls,
            html.Div(body, id=f"{prefix}-body", className="track-record", **{"aria-live": "polite"}),
        ],
        className="track-record",
    )


def connect(
    app: Dash,
    prefix: str,
    read: Callable[[Mapping[str, Any]], tuple[Q, dict[str, str]]],
    answer: Callable[[Q], Any],
    shown: Mapping[str, Callable[[Q], str]],
) -> None:
    """Attach the callback of a form.

    Args:
        prefix: with which the ids of its parts begin: ``PREFIX-body``, ``-address``, and one of each field.
        read: makes a question of the values of fields or address, and says by field what is wrong with them.
        answer: makes the body of the page.
        shown: by field, what it shows of a question that came by the address.
    """
    errors = {f"{name}_error": Output(f"{prefix}-{name}", "error") for name in shown}
    controls = {name: Output(f"{prefix}-{name}", "value") for name in shown}
    page = {"body": Output(f"{prefix}-body", "children"), "search": Output(f"{prefix}-address", "search")}
    nothing = dict.fromkeys([*page, *errors, *controls], no_update)

    @app.callback(
        output=page | errors | controls,
        inputs={name: Input(f"{prefix}-{name}", "value") for name in shown}
        | {"search": Input(f"{prefix}-address", "search")},
        prevent_initial_call=True,
    )
    def show(search: object, **form: object) -> dict[str, Any]:
        from_address = ctx.triggered_id == f"{prefix}-address"
        asked, wrong = read(arguments(search) if from_address else form)
        complaints = dict.fromkeys(errors) | {f"{name}_error": text for name, text in wrong.items()}
        if wrong and not from_address:
            return nothing | complaints
        try:
            found = nothing | complaints | {"body": answer(asked)}
        except (StorageError, OSError):
            return nothing | {"days_error": "The store does not answer; try again in a moment."}
        except TooManyRequests as limit:
            return nothing | {"days_error": str(limit)}
        if from_address:
            return found | {name: say(asked) for name, say in shown.items()}
        return found | {"search": asked.search}
