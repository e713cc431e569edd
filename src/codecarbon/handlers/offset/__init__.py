"""Offsetting: what was emitted is counted in a ledger, and bought back from a service in whole pounds.

Nothing in here is imported unless a run or a command offsets.
"""
