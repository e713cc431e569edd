"""The machine and its sensors: what is there, what may be used, and what stands in where nothing is."""
