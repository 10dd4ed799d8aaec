#!/usr/bin/env python3
"""Checks that TensorBoard's own reader finds in history.tfevents what history.csv holds.

    python3 -m venv /tmp/venv-tensorboard
    /tmp/venv-tensorboard/bin/pip install tensorboard pandas
    cargo run --release -- run --epochs 20 --out /tmp/run
    /tmp/venv-tensorboard/bin/python scripts/read_tensorboard.py /tmp/run
"""

import pathlib
import sys

import numpy as np
import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
history = pd.read_csv(run / "history.csv")
events = EventAccumulator(str(run / "history.tfevents"))
events.Reload()
tags = events.Tags()["scalars"]
for tag in tags:
    scalars = events.Scalars(tag)
    known = history[history[tag].notna()]
    assert [scalar.step for scalar in scalars] == known["epoch"].tolist(), tag
    np.testing.assert_allclose([scalar.value for scalar in scalars], known[tag], rtol=1e-6, err_msg=tag)
    np.testing.assert_allclose([scalar.wall_time for scalar in scalars], known["seconds"], atol=1e-6)
assert set(tags) == set(history.columns[history.notna().any()]) - {"epoch", "seconds"}, tags
print(f"{len(tags)} scalars of {len(history)} epochs are those of history.csv")
