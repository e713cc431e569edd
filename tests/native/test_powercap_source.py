"""PowercapSource on a tree of files: what is read, what is refused, and what is never taken for a number."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import pytest

from codecarbon._sensors import Channel, Fault, PowercapSource, ScriptedOps
from tests.support.fake_powercap import add_foreign_types, build_laptop, build_many_sockets, build_sockets
from tests.support.limits import count_descriptors, one_descriptor_left, public_folder, without_root


def open_zones(*zones, ops=None):
    return PowercapSource([(zone.energy_path, Channel(zone.entry.name, "package")) for zone in zones], ops=ops)


@pytest.fixture
def zone(tmp_path):
    return build_sockets(tmp_path, has_dram=False).zones["package-0"]


def test_every_zone_is_read_in_the_order_given(tmp_path):
    tree = build_sockets(tmp_path, 2)
    for number, zone in enumerate(tree.zones.values()):
        zone.write(1000 + number)
    source = open_zones(*tree.zones.values())
    assert [channel.name for channel in source.channels] == [
        *["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1"],
        *["intel-rapl:1", "intel-rapl:1:0", "intel-rapl:1:1"],
    ]
    assert source.read() == [(1000 + number, 0) for number in range(6)]


def test_kept_descriptor_shows_each_new_value(zone):
    source = open_zones(zone)
    before = count_descriptors()
    for energy_uj in (5, 262143328850, 0):
        zone.write(energy_uj)
        assert source.read() == [(energy_uj, 0)]
    assert count_descriptors() == before


@pytest.mark.parametrize(
    ("content", "energy_uj"),
    [
        (b"0\n", 0),
        (b"262143328850\n", 262143328850),
        (b"00000000000000000042\n", 42),
        (b"18446744073709551615\n", 2**64 - 1),
        (b"7", 7),  # exporters for guests write no newline
    ],
)
def test_text_of_a_counter(zone, content, energy_uj):
    zone.corrupt(content)
    assert open_zones(zone).read() == [(energy_uj, 0)]


GARBAGE = {
    "empty": b"",
    "newline": b"\n",
    "letters": b"abc\n",
    "negative": b"-5\n",
    "plus": b"+5\n",
    "21 digits": b"000000000000000000001\n",
    "beyond 64 bits": b"18446744073709551616\n",
    "long": b"1" * 4096,
    "NUL": b"\0",
    "NUL behind": b"123\0",
    "NUL inside": b"12\0003\n",
    "trailing blank": b"123 \n",
    "leading blank": b" 123\n",
    "two newlines": b"123\n\n",
    "two numbers": b"123\n456\n",
    "carriage return": b"123\r\n",
    "not a number": b"nan\n",
    "exponent": b"1e3\n",
    "decimals": b"1.5\n",
    "hexadecimal": b"0x10\n",
    "other digits": "١٢٣\n".encode(),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_failed_reading_and_passes(zone, content):
    zone.corrupt(content)
    source = open_zones(zone)
    assert source.read() == [(0, -errno.EINVAL)]
    zone.corrupt(b"77\n")
    assert source.read() == [(77, 0)]


def test_number_that_lost_its_newline_was_cut_short(zone):
    zone.write(262143328850)
    source = open_zones(zone)
    assert source.read() == [(262143328850, 0)]
    zone.corrupt(b"2621433")
    assert source.read() == [(0, -errno.EINVAL)]


def test_failing_zone_leaves_the_others_alone(tmp_path):
    tree = build_sockets(tmp_path, 2, has_dram=False)
    first, second = tree.zones["package-0"], tree.zones["package-1"]
    first.replace(Path("/proc/self/mem"))  # opens, and cannot be read at 0
    second.write(9)
    assert open_zones(first, second).read() == [(0, -errno.EIO), (9, 0)]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO, errno.ENODEV, errno.ENOMEM])
def test_error_of_one_reading_is_reported_and_passes(tmp_path, code):
    tree = build_sockets(tmp_path, 2, has_dram=False)
    first, second = tree.zones["package-0"], tree.zones["package-1"]
    fault = Fault("pread", path="*/intel-rapl:0/energy_uj", first=2, last=2, errno=code)
    source = open_zones(first, second, ops=ScriptedOps([fault]))
    assert source.read() == [(0, 0), (0, 0)]
    first.write(8)
    second.write(9)
    assert source.read() == [(0, -code), (9, 0)]
    assert source.read() == [(8, 0), (9, 0)]


def test_reading_that_was_cut_short_is_not_a_small_number(zone):
    zone.write(262143328850)
    source = open_zones(zone, ops=ScriptedOps([Fault("pread", first=2, last=2, at_most=9)]))
    assert [source.read() for _ in range(3)] == [[(262143328850, 0)], [(0, -errno.EINVAL)], [(262143328850, 0)]]


def test_collected_garbage_closes_through_its_own_table(zone):
    ops = ScriptedOps()
    garbage = [open_zones(zone, ops=ops)]
    garbage.append(garbage)
    assert ops.open_fds == 1
    del garbage
    gc.collect()
    assert ops.open_fds == 0


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("obstacle", ["missing", "folder", "fifo"])
def test_zone_that_cannot_be_opened_is_named_and_nothing_stays_open(tmp_path, position, obstacle):
    tree = build_sockets(tmp_path, 3, has_dram=False)
    zones = list(tree.zones.values())
    bad = zones[position]
    bad.remove()
    if obstacle == "folder":
        (bad.folder / "energy_uj").mkdir()
    elif obstacle == "fifo":
        os.mkfifo(bad.folder / "energy_uj")
    before = count_descriptors()
    with pytest.raises(OSError) as caught:
        open_zones(*zones)
    assert caught.value.filename == bad.energy_path
    assert caught.value.errno == (errno.ENOENT if obstacle == "missing" else errno.EINVAL)
    assert count_descriptors() == before


def test_unreadable_counter_is_refused_by_name():
    with public_folder() as folder:
        zones = build_sockets(folder, 2, has_dram=False).zones
        first, second = zones["package-0"], zones["package-1"]
        (first.folder / "energy_uj").chmod(0o444)
        (second.folder / "energy_uj").chmod(0o000)
        before = count_descriptors()
        with without_root():
            assert open_zones(first).read() == [(0, 0)]
            with pytest.raises(PermissionError) as caught:
                open_zones(first, second)
        assert caught.value.filename == second.energy_path
        assert count_descriptors() == before


def test_too_many_open_files_is_a_clean_error(tmp_path):
    zones = build_sockets(tmp_path, 3, has_dram=False).zones.values()
    before = count_descriptors()
    with one_descriptor_left(), pytest.raises(OSError) as caught:
        open_zones(*zones)
    assert caught.value.errno == errno.EMFILE
    assert count_descriptors() == before


def test_closing_releases_and_ends_reading(tmp_path):
    zones = build_laptop(tmp_path).zones.values()
    before = count_descriptors()
    source = open_zones(*zones)
    assert count_descriptors() == before + len(zones)
    source.close()
    source.close()
    assert count_descriptors() == before
    with pytest.raises(ValueError, match="closed"):
        source.read()
    with pytest.raises(ValueError, match="closed"):
        source.reopen()


def test_dropping_the_last_reference_closes(tmp_path):
    zones = build_laptop(tmp_path).zones.values()
    before = count_descriptors()
    for _ in range(100):
        open_zones(*zones).read()
    assert count_descriptors() == before


def test_file_that_vanished_and_came_back_is_opened_again(zone):
    zone.replace(Path("/proc/self/mem"))
    source = open_zones(zone)
    assert source.read() == [(0, -errno.EIO)]
    zone.remove()
    with pytest.raises(FileNotFoundError):
        source.reopen()
    assert source.read() == [(0, -errno.EIO)]
    zone.write(5)
    before = count_descriptors()
    source.reopen()
    assert source.read() == [(5, 0)]
    assert count_descriptors() == before


def test_reopening_leaves_healthy_zones_alone(zone):
    source = open_zones(zone)
    source.read()
    zone.remove()
    source.reopen()  # nothing failed, so the missing file is not even looked for
    assert source.read() == [(0, 0)]


def test_paths_may_hold_any_bytes(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff energy"
    Path(os.fsdecode(path)).write_text("3\n")
    for spelling in (path, os.fsdecode(path)):
        assert PowercapSource([(spelling, Channel("a", "package"))]).read() == [(3, 0)]


@pytest.mark.parametrize("count", [0, 65])
def test_number_of_zones_has_limits(zone, count):
    with pytest.raises(ValueError, match=f"got {count}"):
        open_zones(*[zone] * count)


def test_only_channels_are_accepted(zone):
    with pytest.raises(TypeError):
        PowercapSource([(zone.energy_path, "package")])


def test_fake_tree_has_the_kernel_s_shape(tmp_path):
    tree = build_many_sockets(tmp_path)
    add_foreign_types(tree)
    names = {entry.name for entry in tree.class_folder.iterdir()}
    assert {"intel-rapl", "intel-rapl:0", "intel-rapl:0:0", "intel-rapl:a", "dtpm:0:0", "idle_inject"} <= names
    assert all(entry.is_symlink() for entry in tree.class_folder.iterdir())
    assert (tree.class_folder / "intel-rapl:a" / "name").read_text() == "package-10\n"
    psys = build_laptop(tmp_path / "laptop").zones["psys"]
    assert psys.entry.name == "intel-rapl:1"
