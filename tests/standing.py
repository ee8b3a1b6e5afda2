"""How one dataset stands, as ``evidence status`` counts it."""

from evidence.status import sealed_windows, standing


def row_of(source, contract, index, period, moment):
    span = (period.start, period.end) if period else (None, None)
    return standing(source, contract, index, sealed_windows(index), moment, span).to_row()
