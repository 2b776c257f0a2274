"""Whether a breast tumour is malignant, from ten measures of its cell nuclei.

Logistic regression by scikit-learn on the data set of Wisconsin. What main.py needs are a few numbers, so
serving needs no scikit-learn.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer(as_frame=True)
measures = data.data.filter(like="mean ").rename(
    columns=lambda name: name.removeprefix("mean ").replace(" ", "_")
)
malignant = data.target == data.target_names.tolist().index("malignant")
known, held_out, is_known, is_held_out = train_test_split(
    measures, malignant, test_size=0.3, stratify=malignant, random_state=1
)

scale = StandardScaler()
regression = LogisticRegressionCV(
    scoring="neg_log_loss", cv=5, max_iter=1000, l1_ratios=(0.0,), use_legacy_attributes=False
)
make_pipeline(scale, regression).fit(known, is_known)

weights = regression.coef_[0] / scale.scale_
artifact = Path("artifact")
(artifact / "regression.json").write_text(
    json.dumps(
        {
            "intercept": float(regression.intercept_[0] - weights @ scale.mean_),
            "weights": dict(zip(measures.columns, weights.tolist(), strict=True)),
        },
        indent=2,
    )
)
# For the tests, which hold the artifact to what it has not seen.
np.savez(artifact / "held-out.npz", measures=held_out.to_numpy(), malignant=is_held_out.to_numpy())
