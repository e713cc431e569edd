"""The samples that users have, as they were written: through the real SDK, against the service on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from codecarbon.units import KG_PER_LB, UG_PER_LB
from tests.support.fakes.oneclickimpact import ADA, Owner

KEY = "your_api_key_here"
REAL_KEY = "your_real_api_key"

TRACKER = """
from codecarbon import EmissionsTracker

tracker = EmissionsTracker(
    project_name="my_project",
    offset_api_key="your_api_key_here",
    offset_environment="production",  # or "sandbox" for testing
    offset_threshold=0.5,  # Offset when reaching 0.5 kg CO2 (minimum is 0.5 kg or 1 lb)
    auto_offset=True,
)

tracker.start()
# Your code here
emissions = tracker.stop()
"""
DECORATOR = """
from codecarbon import track_emissions

@track_emissions(
    project_name="my_function",
    offset_api_key="your_api_key_here",
    offset_environment="production",
    auto_offset=True,
)
def my_carbon_intensive_function():
    # Your code here
    pass
"""
MANUAL = """
tracker = EmissionsTracker(
    project_name="manual_control",
    offset_api_key="your_api_key_here",
    auto_offset=False,  # Disable automatic offsetting
)

tracker.start()
# Your code here
emissions = tracker.stop()

# Access the OneClickImpact handler for manual control
for handler in tracker._output_handlers:
    if hasattr(handler, 'manual_offset'):
        # Check accumulated emissions
        accumulated = handler.get_accumulated_emissions()
        print(f"Accumulated: {accumulated:.6f} kg CO2")

        # Manually trigger offset
        success = handler.manual_offset()
        if success:
            print("Offset successful!")
"""
THRESHOLD = """
tracker = EmissionsTracker(
    project_name="threshold_example",
    offset_api_key="your_api_key_here",
    offset_threshold=2,  # Only offset after 2 kg CO2 accumulated
    auto_offset=True,
)
"""
FILE = """
[codecarbon]
offset_api_key = your_api_key_here
offset_environment = production
offset_threshold = 1
auto_offset = true
"""
TRAINING = """
from codecarbon import track_emissions

@track_emissions(
    project_name="ml_training",
    offset_api_key="your_real_api_key",
    offset_environment="production",
    offset_threshold=0.5,  # Offset every 0.5 kg CO2
)
def train_ml_model():
    # Your ML training code
    model = create_model()
    model.fit(training_data)
    return model

# This will automatically track emissions and offset them when threshold is reached
model = train_ml_model()
"""


@pytest.fixture
def user(fake, state, tmp_path, monkeypatch, log):
    """Somebody whose machine emits kilograms in milliseconds, and whose keys the fake knows."""
    del log
    fake.keys[KEY] = fake.keys[REAL_KEY] = Owner(ADA, "ada@example.org", "production")
    for name, value in {
        "OFFSET_BASE_URL": fake.url,
        "FORCE_CARBON_INTENSITY_G_CO2E_KWH": "1e8",
        "FORCE_RAM_POWER": "1e6",
        "OFFSET_MAX_PER_RUN_KG": "1e6",
        "COUNTRY_ISO_CODE": "FRA",
        "SAVE_TO_FILE": "false",
    }.items():
        monkeypatch.setenv(f"CODECARBON_{name}", value)
    monkeypatch.chdir(tmp_path)
    return {}


def run(text, names):
    """Run a sample as a user's module."""
    exec(compile(text, "sample.py", "exec"), names)
    return names


def check(fake, ledger, *, least_kg):
    """All whole pounds of what was emitted were bought, and the rest is held."""
    balance = ledger.balance()
    assert balance.accrued_ug >= least_kg * 1e9
    assert fake.pounds_bought() == balance.accrued_ug // UG_PER_LB
    assert fake.posts == 1
    assert balance.open_ug == balance.accrued_ug - fake.pounds_bought() * UG_PER_LB


def test_basic_usage_with_a_tracker(user, fake, ledger_of):
    names = run(TRACKER, user)
    check(fake, ledger_of(KEY), least_kg=0.5)
    assert names["emissions"] * 1e9 == pytest.approx(ledger_of(KEY).balance().accrued_ug, abs=2)


def test_basic_usage_with_the_decorator(user, fake, ledger_of):
    names = run(DECORATOR, user)
    assert fake.count() == 0
    assert names["my_carbon_intensive_function"]() is None
    check(fake, ledger_of(KEY), least_kg=0.5)


def test_manual_control(user, fake, ledger_of, capsys):
    run("from codecarbon import EmissionsTracker", user)
    names = run(MANUAL, user)
    text = capsys.readouterr().out
    assert text.startswith("Accumulated: ")
    assert "Offset successful!" in text
    assert names["accumulated"] == pytest.approx(names["emissions"])
    check(fake, ledger_of(KEY), least_kg=0.5)


def test_a_threshold_of_two_kilograms(user, fake, ledger_of, monkeypatch):
    run("from codecarbon import EmissionsTracker", user)
    names = run(THRESHOLD, user)
    tracker = names["tracker"]
    tracker.start()
    tracker.stop()
    check(fake, ledger_of(KEY), least_kg=2)
    assert tracker.settings.offset_threshold == 2.0
    # And below it, nothing.
    monkeypatch.setenv("CODECARBON_FORCE_RAM_POWER", "0.001")
    monkeypatch.setenv("CODECARBON_FORCE_CPU_POWER", "0.001")
    quiet = run(THRESHOLD, user)["tracker"]
    quiet.start()
    quiet.stop()
    assert quiet.final_emissions < 1
    assert fake.posts == 1


def test_a_configuration_file(user, fake, ledger_of):
    Path(".codecarbon.config").write_text(FILE, encoding="utf-8")
    names = run("from codecarbon import EmissionsTracker\nwith EmissionsTracker() as tracker:\n    pass", user)
    settings = names["tracker"].settings
    assert (settings.offset_threshold, settings.auto_offset, settings.offset_environment) == (1.0, True, "production")
    check(fake, ledger_of(KEY), least_kg=1)


def test_a_training_job(user, fake, ledger_of):
    class Model:
        def fit(self, data):
            self.data = data

    names = run(TRAINING, {**user, "create_model": Model, "training_data": [1]})
    assert names["model"].data == [1]
    check(fake, ledger_of(REAL_KEY), least_kg=0.5)


def test_the_counter_is_reset_but_for_less_than_a_pound(user, fake, ledger_of):
    names = run(TRACKER, user)
    (handler,) = [entry for entry in names["tracker"]._output_handlers if hasattr(entry, "manual_offset")]
    assert 0 <= handler.get_accumulated_emissions() < KG_PER_LB
