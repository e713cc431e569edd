from codecarbon._sensors.windows import Steps

def split(
    steps: Steps, run_us: int, earliest_us: int, deadline_us: int, *, pieces: int, penalty: float
) -> tuple[float, list[tuple[int, int]]] | None: ...
