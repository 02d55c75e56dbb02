"""Our own Dash components, over native inputs and tables; assets/controls.js draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash.development.base_component import Component


class _Control(Component):
    """A component of our own namespace; its properties are what its constructor is given."""

    _namespace = "btc_dash"
    _children_props: list[str] = []  # noqa: RUF012  (Dash's own protocol)
    _base_nodes: list[str] = []  # noqa: RUF012

    def __init__(self, **given: Any) -> None:
        self._prop_names = self.available_properties = list(given)
        self.available_wildcard_properties: list[str] = []
        self._valid_wildcard_attributes: list[str] = []
        super().__init__(**{name: value for name, value in given.items() if value is not None})


class Entry(_Control):
    """A number or a date, with a step button on either side. ``value`` is text, as typed.

    Args:
        kind: ``number`` or ``date``.
        lowest, highest: the ends of what can be stepped to, as text.
        less, more: what the step buttons do, for screen readers.
        presets: shortcuts, by value.
        error: what is wrong with the value.
        step: how far a step button moves a number.
    """

    _type = "Entry"

    def __init__(
        self,
        id: str,
        kind: str,
        label: str,
        value: str,
        bounds: tuple[str, str],
        steps: tuple[str, str],
        presets: Mapping[int, str] | None = None,
        error: str | None = None,
        step: float = 1,
    ) -> None:
        shortcuts = [{"value": n, "label": str(n), "name": name} for n, name in (presets or {}).items()]
        super().__init__(
            id=id, kind=kind, label=label, value=value, min=bounds[0], max=bounds[1],
            less=steps[0], more=steps[1], presets=shortcuts, error=error, step=step,
        )  # fmt: skip


class Choice(_Control):
    """One of a few alternatives: radio buttons in a row.

    Args:
        options: the label of each value.
        error: what is wrong with what was asked for.
    """

    _type = "Choice"

    def __init__(
        self, id: str, label: str, options: Mapping[str, str], value: str, error: str | None = None
    ) -> None:
        pairs = [{"value": key, "label": text} for key, text in options.items()]
        super().__init__(id=id, label=label, options=pairs, value=value, error=error)


class Select(Choice):
    """One of several alternatives, from a list that opens; takes what ``Choice`` does."""

    _type = "Select"


class Table(_Control):
    """Rows of plain text; the first cell names its row, ``chosen`` is the name of one to stand out."""

    _type = "Table"

    def __init__(
        self,
        id: str,
        label: str,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        chosen: str | None = None,
    ) -> None:
        super().__init__(id=id, label=label, head=list(head), rows=[list(r) for r in rows], chosen=chosen)
