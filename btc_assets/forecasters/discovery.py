"""Which forecasters there are: those that come with the project, and whatever is installed beside it.

Nothing of theirs is imported here: a package that fails to import, hangs or prints costs only itself, in a
process of its own (``worker_process``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec

from btc_assets.vocabulary import BASELINES

GROUP = "btc_assets.forecasters"
"""The group of entry points that a package registers its forecasters in."""

OURS = "btc-assets"

_ROOM = "btc_assets.forecasters"

SHIPPED: Mapping[str, str] = {
    **{name: f"{_ROOM}.baselines:{name}" for name in BASELINES},
    "conformal_walk": f"{_ROOM}.shipped.conformal:ConformalWalk",
    "har_weekdays": f"{_ROOM}.shipped.har:Har",
    "ewma_t": f"{_ROOM}.shipped.ewma:EwmaT",
    "garch": f"{_ROOM}.shipped.garch:garch",
    "gjr_garch": f"{_ROOM}.shipped.garch:gjr_garch",
    "auto_ets": f"{_ROOM}.shipped.statistical:auto_ets",
    "auto_theta": f"{_ROOM}.shipped.statistical:auto_theta",
    "auto_arima": f"{_ROOM}.shipped.statistical:auto_arima",
}
"""Those that come with the project, by name: ``module:attribute``."""

LIBRARIES = {"ewma": "scipy", "garch": "arch", "statistical": "statsforecast"}
"""By module of ``shipped``, the library of the extra ``arena`` that it cannot do without."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A forecaster that could be asked.

    Attributes:
        name: of the forecaster, as it is registered.
        target: where it is, ``module:attribute``.
        package: the distribution that brings it.
        problem: why it cannot be asked, or empty.
    """

    name: str
    target: str
    package: str
    problem: str = ""


def entrants() -> list[Entrant]:
    """List every forecaster by name, the project's own first; what is wrong with one is said in it."""
    found = [_judged(Entrant(name, target, OURS)) for name, target in SHIPPED.items()]
    others = sorted(set(_installed()), key=lambda each: (each.name, each.package))
    return [*found, *(_judged(each, others) for each in others)]


def chosen(text: str) -> list[Entrant]:
    """Return the entrants that the setting ``BTC_FORECASTERS`` names: names with commas, or ``all``.

    ``all`` leaves out the baselines, which the graph has already, and what needs the extra ``arena`` where
    that is not installed. Whatever else cannot be asked stays in with its problem.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return []
    known = [each for each in entrants() if each.name not in BASELINES]
    if "all" in names:
        return [each for each in known if not (each.package == OURS and each.problem)]
    by_name = {each.name: each for each in known}
    return [by_name.get(name) or _unknown(name, by_name) for name in dict.fromkeys(names)]


def find(name: str) -> Entrant:
    """Return the entrant called ``name``, or the one at ``module:attribute``, registered or not."""
    if ":" in name:
        return Entrant("", name, "")
    everyone = {each.name: each for each in entrants()}
    return everyone.get(name) or _unknown(name, everyone)


def _installed() -> Iterator[Entrant]:
    """Yield what packages register; one whose metadata cannot be read is named and costs only itself."""
    for distribution in distributions():
        package = "a package without a name"
        try:
            package = str(distribution.metadata["Name"])
            for point in distribution.entry_points:
                if point.group == GROUP:
                    yield Entrant(point.name, point.value, package)
        except Exception as error:
            yield Entrant(package, "", package, f"its metadata cannot be read: {error}")


def _unknown(name: str, known: Mapping[str, Entrant]) -> Entrant:
    said = f"no installed package registers it; there are {', '.join(known) or 'none'}"
    if name in BASELINES:
        said = "it is a baseline, which baseline_forecasts has already"
    return Entrant(name, "", "", said)


def _judged(entrant: Entrant, others: Sequence[Entrant] = ()) -> Entrant:
    problem = entrant.problem or _problem(entrant, others)
    return Entrant(entrant.name, entrant.target, entrant.package, problem)


def _problem(entrant: Entrant, others: Sequence[Entrant]) -> str:
    module, _, attribute = entrant.target.partition(":")
    if not attribute:
        return f"the entry point {entrant.target!r} is not module:attribute"
    if entrant.package != OURS and entrant.name in SHIPPED:
        return f"the name belongs to a forecaster of {OURS}; take another"
    rivals = sorted({each.package for each in others if each.name == entrant.name})
    if len({each.target for each in others if each.name == entrant.name}) > 1:
        return f"the name is registered more than once, by {' and '.join(rivals)}; remove one"
    if entrant.package == OURS:
        library = LIBRARIES.get(module.rpartition(".")[2])
        lacking = library is not None and find_spec(library) is None
        return f"it needs {library}; install btc-assets[arena]" if lacking else ""
    top = module.split(".")[0]
    try:
        there = find_spec(top) is not None
    except (ImportError, ValueError):
        there = False
    return "" if there else f"there is no module {top}; install {entrant.package} again, or remove it"
