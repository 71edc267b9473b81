"""Why a job would run: what is new about it, against the earlier job that is closest to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ablate.methods.parts import Value, shown
from ablate.methods.session import JobConfig

#: A job's digest of code -> module -> its digest.
Modules = Mapping[str, Mapping[str, str]]

NONE_KNOWN: Modules = MappingProxyType({})

_MOST_COMPARED = 50  #: earlier jobs of one kind that a new job is compared with
_MOST_NAMED = 3  #: changes that a reason names one by one


@dataclass(frozen=True)
class Difference:
    """One way in which a job differs from an earlier one."""

    what: str  #: "setting", "seed", "network", "data", "input", "code", "upstream"
    text: str


class EarlierConfigs:
    """Configs of earlier jobs, found by what a new job would run."""

    def __init__(self, configs: Iterable[JobConfig], modules: Modules = NONE_KNOWN) -> None:
        """Sort them by kind and method; the newest come last."""
        self._modules = modules
        self._by_kind: dict[tuple[str, str], list[JobConfig]] = {}
        self._by_settings: dict[tuple[object, ...], list[JobConfig]] = {}
        for config in configs:
            self._by_kind.setdefault((config.kind, config.method), []).append(config)
            self._by_settings.setdefault(_settings_key(config), []).append(config)

    def closest(self, config: JobConfig) -> tuple[JobConfig, list[Difference]] | None:
        """The earlier job with the fewest differences, and these; None if there is none."""
        equal = self._by_settings.get(_settings_key(config), [])
        alike = self._by_kind.get((config.kind, config.method), [])
        candidates = equal[-_MOST_COMPARED:] or alike[-_MOST_COMPARED:]
        if not candidates:
            return None
        nearest = min(reversed(candidates), key=lambda earlier: _distance(earlier, config))
        return nearest, differences(nearest, config, self._modules)


def _distance(before: JobConfig, now: JobConfig) -> int:
    """Distance of two jobs: another seed or code counts less than another setting."""
    found = before.settings
    settings = sum(found.get(name) != value for name, value in now.settings.items())
    places = (before.networks != now.networks) + (before.data != now.data)
    rest = (before.seed, before.code, before.inputs, before.upstream)
    others = (now.seed, now.code, now.inputs, now.upstream)
    return 5 * (settings + places) + sum(
        one != other for one, other in zip(rest, others, strict=True)
    )


def _settings_key(config: JobConfig) -> tuple[object, ...]:
    settings = sorted((name, repr(value)) for name, value in config.settings.items())
    return config.kind, config.method, config.pair, config.data, *settings


def differences(
    before: JobConfig, now: JobConfig, modules: Modules = NONE_KNOWN
) -> list[Difference]:
    """How a job differs from an earlier one of the same kind and method."""
    found = [
        Difference("setting", f"{name} {_shown(before, name)} → {_shown(now, name)}")
        for name in dict.fromkeys([*before.settings, *now.settings])
        if _value(before.settings, name) != _value(now.settings, name)
    ]
    if before.networks != now.networks:
        found.append(Difference("network", f"networks {before.pair} → {now.pair}"))
    if before.data != now.data:
        found.append(Difference("data", f"data {before.data or 'none'} → {now.data or 'none'}"))
    for name in dict.fromkeys([*before.inputs, *now.inputs]):
        if before.inputs.get(name) != now.inputs.get(name) and before.data == now.data:
            found.append(Difference("input", f"the content of the input {name} changed"))
    code = _changed_code(modules, before, now)
    if code or (not found and before.code != now.code):
        found.append(Difference("code", code or "the training code changed"))
    elif before.upstream != now.upstream:
        roles = [r for r in now.upstream if before.upstream.get(r) != now.upstream[r]]
        what = ", ".join(roles).replace("_", " ") or "upstream work"
        found.append(Difference("upstream", f"it waits for another {what}"))
    if before.seed != now.seed:
        found.append(Difference("seed", f"seed {before.seed} → {now.seed}"))
    return found


def _changed_code(modules: Modules, before: JobConfig, now: JobConfig) -> str:
    """Which modules changed, where both jobs' modules are on record; "" where none did.

    A module that one of them alone reaches did not change: another network or data set needs it.
    """
    if before.code == now.code and before.program == now.program:
        return ""
    old, new = modules.get(before.code), modules.get(now.code)
    if not old or not new:
        return "the training code changed"
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    if not changed:
        return "" if before.program == now.program else "another program"
    named = ", ".join(changed[:_MOST_NAMED])
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    return f"code changed: {named}{more}"


def _value(settings: Mapping[str, Value], name: str) -> object:
    """A value that tells 1 from true, as job ids do."""
    value = settings.get(name)
    return type(value), value


def _shown(config: JobConfig, name: str) -> str:
    return shown(config.settings[name]) if name in config.settings else "none"


def reason(config: JobConfig, earlier: EarlierConfigs) -> str:
    """Why a job would run, in words: "setting changed: temperature 0.1 → 0.2"."""
    closest = earlier.closest(config)
    if closest is None:
        return "new: no earlier job of this kind"
    _, found = closest
    if not found:
        return "new: its earlier run left no result"
    return words(found)


def words(found: Sequence[Difference]) -> str:
    """Differences in one phrase, the telling ones first."""
    telling = [one for one in found if one.what not in ("seed", "upstream")]
    named = telling or list(found)
    if [one.what for one in named] == ["seed"]:
        return f"new seed: {named[0].text}"
    settings = [one.text for one in named if one.what == "setting"]
    others = [one.text for one in named if one.what != "setting"]
    if len(settings) > _MOST_NAMED:
        more = len(settings) - _MOST_NAMED
        settings = [*settings[:_MOST_NAMED], f"{more} more settings"]
    texts = [f"setting changed: {', '.join(settings)}"] if settings else []
    return "; ".join([*texts, *others])
