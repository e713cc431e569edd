"""Underscore names of codecarbon 3 that other packages read; each is a view of what the tracker really has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codecarbon.tracker.guard import guarded
from codecarbon.tracker.outlet import copy_row

if TYPE_CHECKING:
    from codecarbon.model import EmissionsData, Finding
    from codecarbon.tracker.pricing import Pricer
    from codecarbon.tracker.reports import Reports
    from codecarbon.tracker.run import Run
    from codecarbon.tracker.tasks import Task


class EnergyTotal(float):
    """An energy in kWh that also answers to the attribute of the old unit class."""

    @property
    def kWh(self) -> float:  # noqa: N802 (public name of codecarbon 3)
        """The energy, kWh."""
        return float(self)

    def __repr__(self) -> str:
        return f"Energy(kWh={float(self)!r})"


class OldNames:
    """Mix-in with the old names; the tracker provides the attributes declared here."""

    _conf: dict[str, Any]
    _run: Run | None
    _reports: Reports
    noted_faults: set[str]
    _previous_data: EmissionsData | None = None

    def _current_data(self) -> EmissionsData:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        # Every setting could be read as `tracker._<name>`; the dictionary is the one place where they are kept.
        if name.startswith("_") and not name.startswith("__") and "_conf" in self.__dict__:
            conf: dict[str, Any] = self.__dict__["_conf"]
            if name[1:] in conf:
                return conf[name[1:]]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _project_name(self) -> str:
        return str(self._conf["project_name"])

    @_project_name.setter
    def _project_name(self, name: str) -> None:
        self._conf["project_name"] = name
        if self._run is not None:
            self._run.base["project_name"] = name

    @property
    def _tasks(self) -> dict[str, Task]:
        return {} if self._run is None else self._run.tasks.by_name

    @property
    def _hardware(self) -> list[Finding]:
        findings = () if self._run is None else self._run.session.findings()
        return [finding for finding in findings if finding.state in ("live", "model")]

    @property
    def _emissions(self) -> Pricer | None:
        return None if self._run is None else self._run.pricer

    @property
    def _total_energy(self) -> EnergyTotal:
        return EnergyTotal(self._current_data().energy_consumed)

    @property
    def _total_cpu_energy(self) -> EnergyTotal:
        return EnergyTotal(self._current_data().cpu_energy)

    @property
    def _total_gpu_energy(self) -> EnergyTotal:
        return EnergyTotal(self._current_data().gpu_energy)

    @property
    def _total_ram_energy(self) -> EnergyTotal:
        return EnergyTotal(self._current_data().ram_energy)

    @guarded
    def _prepare_emissions_data(self, delta: bool = False) -> EmissionsData:  # noqa: FBT001, FBT002 (old signature)
        data = copy_row(self._current_data())
        if delta:
            before, self._previous_data = self._previous_data, copy_row(data)
            if before is not None:
                data.compute_delta_emission(before)
        return data

    def _measure_power_and_energy(self) -> None:
        self._reports.tick()
