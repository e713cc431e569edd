"""Energy times intensity times PUE: pure functions, nothing is read and nothing is kept."""

from codecarbon.emissions.pricing import Totals, price, rate_g_per_s, total, water_l

__all__ = ["Totals", "price", "rate_g_per_s", "total", "water_l"]
