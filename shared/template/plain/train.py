"""{{model}}: a line through points, to be replaced by a model of your own.

It runs in a copy of this folder. What it leaves in artifact/ is what main.py finds there, in any format.
"""

import json

import numpy as np

rng = np.random.default_rng(1)
x = rng.uniform(0, 10, size=200)
y = 3 + 2 * x + rng.normal(size=200)
slope, intercept = np.polyfit(x, y, deg=1)

with open("artifact/line.json", "w") as file:
    json.dump({"slope": slope, "intercept": intercept}, file)
