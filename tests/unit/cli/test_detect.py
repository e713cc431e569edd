"""What ``detect`` says, from findings made by hand."""

from __future__ import annotations

import json

import pytest

from codecarbon.cli import detect, text
from codecarbon.hardware import MeasureRequest
from codecarbon.model import Finding, Intensity, Location, MachineFacts

FACTS = MachineFacts("Linux-6.1", "3.12.1", "Some Processor", 8, 2, 31.25, is_virtual=True, is_arm=False)
PHANTOM = Finding(
    "perf", "energy-psys", "psys", "refused", "/sys/devices/power", "phantom: its count never moved in 0.2 s"
)
LOCKED = Finding(
    "powercap",
    "package-0",
    "package",
    "refused",
    "/sys/class/powercap/intel-rapl:0/energy_uj",
    "only root may read it",
    "sudo chmod a+r /sys/class/powercap/intel-rapl:0/energy_uj",
)
PACKAGE = Finding("powercap", "package-0", "package", "live", "/sys/energy_uj", "counting", power_w=42.4)
DRAM = Finding("powercap", "dram-0", "dram", "live", "/sys/dram", "counting", power_w=3.0)
PSYS = Finding("powercap", "psys", "psys", "live", "/sys/psys", "counting", power_w=60.0)
CARD = Finding("nvml", "gpu-0", "gpu", "live", "libnvidia-ml.so.1", "Some Card: energy counter", power_w=71.0)
NO_LIBRARY = Finding("nvml", "nvml", "gpu", "refused", "libnvidia-ml.so.1", "there is no such library")
CPU_MODEL = Finding("model", "cpu-model", "cpu", "model", "/proc", "CPU load model, 80 W at full load")
RAM_MODEL = Finding("model", "ram-model", "ram", "model", "/proc", "memory model, 20 W")


def choices(*findings: Finding, **request: object) -> dict[str, tuple[str | None, str]]:
    wanted = MeasureRequest(**request)  # type: ignore[arg-type]
    chosen = [detect.choose(name, findings, wanted) for name in ("cpu", "ram", "gpu")]
    return {choice.component: (choice.method, choice.source) for choice in chosen}


def detection(*findings: Finding, **changes: object) -> detect.Detection:
    values: dict[str, object] = {
        "facts": FACTS,
        "findings": findings,
        "choices": tuple(detect.choose(name, findings, MeasureRequest()) for name in ("cpu", "ram", "gpu")),
        "location": Location("FRA", "France", origin="guessed from the time zone", is_guess=True),
        "problems": (),
        "intensity": Intensity(56.04, "A yearbook", 2023, "FRA"),
        **changes,
    }
    return detect.Detection(**values)  # type: ignore[arg-type]


def shown(*findings: Finding, **more: object) -> str:
    return " ".join(detect.as_text(detection(*findings, **more), text.Style(is_coloured=False)).split())


def test_counters_come_before_models():
    assert choices(PACKAGE, CPU_MODEL, RAM_MODEL) == {
        "cpu": ("measured", "package-0 by powercap"),
        "ram": ("modelled", "memory model, 20 W"),
        "gpu": (None, "no sensor"),
    }


def test_memory_counter_comes_before_the_memory_model():
    assert choices(PACKAGE, DRAM, CPU_MODEL, RAM_MODEL)["ram"] == ("measured", "dram-0 by powercap")


def test_refused_sensor_is_never_chosen():
    assert choices(PHANTOM, LOCKED, CPU_MODEL)["cpu"] == ("modelled", "CPU load model, 80 W at full load")


@pytest.mark.parametrize("request_", [{"force_cpu_power_w": 50.0}, {"force_mode_cpu_load": True}])
def test_model_that_was_asked_for_comes_before_counters(request_):
    assert choices(PACKAGE, CPU_MODEL, **request_)["cpu"][0] == "modelled"


def test_platform_is_only_chosen_alone_or_on_request():
    assert choices(PACKAGE, PSYS, CPU_MODEL)["cpu"][1] == "package-0 by powercap"
    assert choices(PSYS, CPU_MODEL, RAM_MODEL)["cpu"] == ("measured", "psys by powercap, the whole platform")
    assert choices(PSYS, CPU_MODEL, RAM_MODEL)["ram"] == (None, "inside the figure of the platform")
    assert choices(PACKAGE, PSYS, rapl_prefer_psys=True)["cpu"][1] == "psys by powercap, the whole platform"


def test_forced_memory_power_comes_before_the_memory_counter():
    assert choices(PACKAGE, DRAM, RAM_MODEL, force_ram_power_w=5.0)["ram"] == ("modelled", "memory model, 20 W")


def test_dram_can_be_counted_as_processor():
    assert choices(PACKAGE, DRAM, RAM_MODEL, rapl_include_dram=True) == {
        "cpu": ("measured", "package-0, dram-0 by powercap"),
        "ram": (None, "inside the figure of the CPU"),
        "gpu": (None, "no sensor"),
    }


def test_no_sensor_and_no_model_is_missing():
    assert choices() == dict.fromkeys(("cpu", "ram", "gpu"), (None, "no sensor"))


def test_heading_machine_and_place_are_shown():
    seen = shown(PACKAGE)
    assert seen.startswith("Detected Hardware")
    assert "Some Processor, 8 CPUs in 2 sockets, virtual machine" in seen
    assert "31.2 GiB" in seen
    assert "Place: France, guessed from the time zone Intensity: 56.0 g/kWh, A yearbook (2023)" in seen


def test_phantom_is_named_with_its_verdict():
    assert "perf energy-psys refused phantom: its count never moved in 0.2 s /sys/devices/power" in shown(PHANTOM)


def test_remedy_is_the_exact_command_on_a_line_of_its_own():
    lines = detect.as_text(detection(LOCKED), text.Style(is_coloured=False)).splitlines()
    (line,) = [line for line in lines if "To use it:" in line]
    assert line.strip() == f"To use it: {LOCKED.remedy}"


def test_power_seen_is_shown():
    assert "powercap package-0 live counting, 42.4 W just now" in shown(PACKAGE)


def test_cards_are_listed():
    assert "GPU: gpu-0, Some Card: energy counter" in shown(PACKAGE, CARD)
    assert choices(CARD)["gpu"] == ("measured", "gpu-0 by nvml")
    assert "GPU: none" in shown(PACKAGE, NO_LIBRARY)
    assert choices(NO_LIBRARY)["gpu"] == (None, "no sensor")


def test_problem_with_the_place_is_shown():
    assert "Problem: the cloud region x is unknown" in shown(problems=("the cloud region x is unknown",))


def test_json_holds_everything():
    whole = json.loads(json.dumps(detect.as_dict(detection(PHANTOM, PACKAGE))))
    assert whole["schema"] == "codecarbon.detect/1"
    assert set(whole) == {
        *(
            "schema",
            "codecarbon_version",
            "machine",
            "findings",
            "choices",
            "location",
            "problems",
            "intensity",
        ),
    }
    assert whole["machine"]["cpu_model"] == "Some Processor"
    assert whole["findings"][0] == {
        "interface": "perf",
        "name": "energy-psys",
        "domain": "psys",
        "state": "refused",
        "path": "/sys/devices/power",
        "reason": "phantom: its count never moved in 0.2 s",
        "remedy": "",
        "power_w": None,
    }
    assert whole["choices"][0] == {"component": "cpu", "method": "measured", "source": "package-0 by powercap"}
