"""Which cards a run means, and what is said about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecarbon import errors
from codecarbon.hardware import gpu
from codecarbon.model import GpuFacts
from codecarbon.tracker.rows import gpu_label
from tests.support.nvml_stub import NvmlStub

UUIDS = ("GPU-4e81a1b2-aaaa", "GPU-4e99ffff-bbbb", "GPU-f0000000-cccc")


def open_stub(folder: Path, *lines: str, gpus: int = 3) -> gpu.NvmlLibrary:
    names = [f"gpu{index}.uuid {uuid}" for index, uuid in enumerate(UUIDS)]
    return gpu.open_library(str(NvmlStub.private(folder, *names, *lines, gpus=gpus).path))


def chosen(library: gpu.NvmlLibrary, *ids: int | str) -> list[int]:
    return [device.index for device in gpu.select_gpus(library.devices(), ids).devices]


def test_no_ids_mean_all_cards_and_an_empty_list_means_none(tmp_path: Path) -> None:
    devices = open_stub(tmp_path).devices()
    everything = gpu.select_gpus(devices, None)
    assert everything.devices == devices
    assert everything.notes == ()
    nothing = gpu.select_gpus(devices, ())
    assert nothing.devices == ()
    assert nothing.present == 3
    assert nothing.notes == ("0 of 3 GPUs are counted, as chosen",)


def test_indices_are_sorted_and_counted_once(tmp_path: Path) -> None:
    library = open_stub(tmp_path)
    assert chosen(library, 2, "0", 2, "2") == [0, 2]


def test_d16_the_identity_that_nvidia_prints_finds_its_card(tmp_path: Path) -> None:
    library = open_stub(tmp_path)
    assert chosen(library, "GPU-4e81a1b2-aaaa") == [0]
    assert chosen(library, "GPU-4e9") == [1]
    assert chosen(library, "gpu-F0") == [2]
    assert chosen(library, "MIG-GPU-4e81a1b2-aaaa") == [0]


def test_d16_a_selection_that_finds_nothing_stays_empty(tmp_path: Path) -> None:
    selection = gpu.select_gpus(open_stub(tmp_path).devices(), ["GPU-dead"])
    assert selection.devices == ()
    assert selection.notes[0] == "GPU 'GPU-dead' is not among the 3 present and is left out"


def test_a_slice_names_the_board_that_it_is_cut_from(tmp_path: Path) -> None:
    library = open_stub(tmp_path, "gpu1.mig MIG-77aa-01", "gpu1.mig MIG-77aa-02")
    assert chosen(library, "MIG-77aa-02") == [1]
    assert chosen(library, "MIG-77aa") == [1]
    # The form of drivers before R470, with the slashes that the settings parser drops.
    assert chosen(library, "MIG-GPU-f0000000-cccc/1/0", "MIG-GPU-4e81a1b2-aaaa10") == [0, 2]


def test_ids_that_name_nothing_are_said_and_left_out(tmp_path: Path) -> None:
    selection = gpu.select_gpus(open_stub(tmp_path).devices(), [7, "1", "nonsense"])
    assert [device.index for device in selection.devices] == [1]
    assert selection.notes == (
        "GPU 7 is not among the 3 present and is left out",
        "GPU 'nonsense' is not among the 3 present and is left out",
        "1 of 3 GPUs are counted, as chosen",
    )


def test_a_beginning_shared_by_several_cards_means_all_of_them_and_is_said(tmp_path: Path) -> None:
    selection = gpu.select_gpus(open_stub(tmp_path).devices(), ["GPU-4e"])
    assert [device.index for device in selection.devices] == [0, 1]
    assert selection.notes[0] == "GPU 'GPU-4e' is the beginning of 2 identities; all of them are counted"


def test_a_card_without_identity_is_found_by_index_only(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlDeviceGetUUID", 999)
    library = gpu.open_library(str(stub.path))
    assert chosen(library, 0) == [0]
    assert chosen(library, "GPU-4e81") == []


def test_d41_cards_are_found_without_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert len(open_stub(tmp_path).devices()) == 3


def test_d42_unlike_cards_are_named_apart_and_only_the_chosen_ones(tmp_path: Path) -> None:
    library = open_stub(tmp_path, "gpu1.name NVIDIA T4")
    selection = gpu.select_gpus(library.devices(), [0, 1])
    assert (
        gpu_label([gpu.gpu_facts(device) for device in selection.devices]) == "1 x NVIDIA H100 80GB HBM3, 1 x NVIDIA T4"
    )


def test_facts_keep_what_is_unknown_unknown(tmp_path: Path) -> None:
    library = open_stub(tmp_path, "gpu1.limit_watts 0")
    known, unknown, _ = (gpu.gpu_facts(device) for device in library.devices())
    assert known == GpuFacts(0, UUIDS[0], "NVIDIA H100 80GB HBM3", 80 << 30, 700.0)
    assert unknown.power_limit_w is None


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (4, errors.SensorPermissionError, "sudo usermod"),
        (9, errors.SensorUnavailable, "sudo modprobe nvidia"),
        (12, errors.SensorUnavailable, "--gpus all"),
        (18, errors.SensorUnavailable, "sudo reboot"),
        (999, errors.SensorUnavailable, "unknown error"),
    ],
)
def test_a_refused_library_becomes_our_error_and_a_finding(
    tmp_path: Path, code: int, kind: type[errors.SensorError], words: str
) -> None:
    path = str(NvmlStub.private(tmp_path, f"init {code}").path)
    with pytest.raises(kind, match=words) as caught:
        gpu.open_library(path)
    assert caught.value.path == path
    assert isinstance(caught.value.__cause__, OSError)
    finding = gpu.library_finding(gpu.NvmlLibrary(path))
    assert finding is not None
    assert finding.state == "refused"
    assert f"(NVML code {code})" in finding.reason
    assert words in f"{finding.reason} {finding.remedy}"


def test_a_machine_without_nvidia_software_is_no_finding() -> None:
    name = "libnvidia-nobody-has-this.so.1"
    with pytest.raises(errors.SensorUnavailable, match="cannot be loaded"):
        gpu.open_library(name)
    assert gpu.library_finding(gpu.NvmlLibrary(name)) is None


def test_a_driver_that_hangs_is_an_error_after_the_time_given(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", delay_ns=200_000_000)
    with pytest.raises(errors.SensorError, match="did not answer"):
        gpu.open_library(str(stub.path), timeout_s=0.01)


def test_findings_say_what_a_card_offers(tmp_path: Path) -> None:
    library = open_stub(
        tmp_path,
        "gpu0.name NVIDIA GeForce RTX 4090",
        "gpu0.brand 5",
        "gpu1.module_only 1",
        "gpu1.mig MIG-1",
        "gpu2.energy 0",
        "gpu2.power 0",
        "gpu2.samples 0",
    )
    card, module, nothing = (gpu.device_finding(device, "lib", power_w=9.0) for device in library.devices())
    assert (card.state, card.domain, card.name, card.power_w) == ("live", "gpu", "gpu-0", 9.0)
    assert card.reason.startswith("NVIDIA GeForce RTX 4090: energy counter, read once a second")
    assert module.domain == "module"
    assert "processor included" in module.reason
    assert "all slices together" in module.reason
    assert (nothing.state, nothing.reason) == (
        "refused",
        "it offers neither energy nor power: the device does not offer this (NVML code 3)",
    )


def test_detect_reads_each_chosen_card_once(tmp_path: Path) -> None:
    names = [f"gpu{index}.uuid {uuid}" for index, uuid in enumerate(UUIDS)]
    stub = NvmlStub.private(tmp_path, *names, "watts 77", "gpu2.energy 0", "gpu2.power 0", "gpu2.samples 0", gpus=3)
    findings = gpu.detect_gpus(str(stub.path), ["GPU-4e8", 2])
    assert [(finding.name, finding.state, finding.power_w) for finding in findings] == [
        ("gpu-0", "live", 77.0),
        ("gpu-2", "refused", None),
    ]


def test_detect_names_a_refused_library_and_a_missing_one(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path, "init 9")
    (finding,) = gpu.detect_gpus(str(stub.path), None)
    assert (finding.state, finding.remedy) == ("refused", "sudo modprobe nvidia")
    (finding,) = gpu.detect_gpus("libnvidia-nobody-has-that.so.1", None)
    assert (finding.state, finding.path) == ("refused", "libnvidia-nobody-has-that.so.1")
    assert "No such file" in finding.reason


def test_detect_gives_up_on_a_driver_that_hangs(tmp_path: Path) -> None:
    stub = NvmlStub.private(tmp_path)
    stub.fail("nvmlInitWithFlags", delay_ns=200_000_000)
    (finding,) = gpu.detect_gpus(str(stub.path), None, timeout_s=0.01)
    assert finding.state == "refused"
    assert "did not answer" in finding.reason
