"""Train the `wine` sample model: tabular classification with one named scalar input per feature.

Data: the 178 wines that come inside scikit-learn (`sklearn.datasets.load_wine`: the UCI "Wine"
set, M. Forina et al., CC BY 4.0; scikit-learn itself is BSD-3): thirteen chemical measurements of
wines of three cultivars.
Network: thirteen inputs [batch, 1], joined and normalized inside the model, two dense layers with
ReLU, softmax over three classes. In the metadata `total_phenols` and `flavanoids` form one group,
`phenols`.
Score: accuracy 0.963 on 54 held-out wines (stratified split); the mean over five folds is printed
too: 0.966.

Run `python sample_models/wine/make.py`; it writes `model/`, `instances.json` and the wines that the
model learned from, `examples.csv`, beside itself.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, train_test_split
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

HERE = Path(__file__).resolve().parent
FEATURES = [
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280_od315",
    "proline",
]
PHENOLS = {"total_phenols", "flavanoids"}
CULTIVARS = ["cultivar_1", "cultivar_2", "cultivar_3"]


def columns(x: Any) -> dict[str, Any]:
    """The matrix [n, 13] as the model's named inputs, each [n, 1]."""
    return {name: x[:, i : i + 1] for i, name in enumerate(FEATURES)}


def train(x: Any, y: Any) -> Any:
    """The network, trained on these rows."""
    inputs = {name: keras.Input((1,), name=name) for name in FEATURES}
    normalize = keras.layers.Normalization()
    normalize.adapt(x)
    hidden = normalize(keras.layers.Concatenate()([inputs[name] for name in FEATURES]))
    decay = keras.regularizers.L2(1e-3)
    for units in (16, 8):
        hidden = keras.layers.Dense(units, activation="relu", kernel_regularizer=decay)(hidden)
    output = keras.layers.Dense(3, activation="softmax", name="cultivar")(hidden)
    model = keras.Model(inputs, output)
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(columns(x), y, batch_size=16, epochs=100, verbose=0)
    return model


def main() -> None:
    """Train, score, export."""
    keras.utils.set_random_seed(7)
    tf.config.experimental.enable_op_determinism()
    x, y = load_wine(return_X_y=True)
    x = x.astype(np.float32)
    scores = [
        train(x[a], y[a]).evaluate(columns(x[b]), y[b], verbose=0)[1]
        for a, b in StratifiedKFold(5, shuffle=True, random_state=7).split(x, y)
    ]
    print(f"accuracy over five folds: mean {np.mean(scores):.4f}, least {min(scores):.4f}")
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=54, random_state=7, stratify=y
    )
    model = train(x_train, y_train)
    held_out = model.evaluate(columns(x_test), y_test, verbose=0)[1]
    print(f"accuracy on {len(y_test)} held-out wines: {held_out:.4f}")

    shutil.rmtree(HERE / "model", ignore_errors=True)
    model.export(HERE / "model", verbose=False)
    saved = SavedModel.FromString((HERE / "model/saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    inputs: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(FEATURES):
        inputs[name] = {
            "input_tensor_name": signature.inputs[name].name,
            "input_baselines": [round(float(x_train[:, i].mean()), 4)],
        }
        if name in PHENOLS:
            inputs[name]["group_name"] = "phenols"
    output = {
        "output_tensor_name": signature.outputs["output_0"].name,
        "index_name_mapping": CULTIVARS,
    }
    metadata = {
        "inputs": inputs,
        "outputs": {"cultivar": output},
        "framework": "tensorflow",
    }
    (HERE / "model/explanation_metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    chosen = [int(np.flatnonzero(y_test == cultivar)[0]) for cultivar in range(3)]
    rows = [
        {name: round(float(v), 4) for name, v in zip(FEATURES, x_test[i], strict=True)}
        for i in chosen
    ]
    (HERE / "instances.json").write_text(json.dumps({"instances": rows}, indent=1) + "\n")
    write_examples(x_train, y_train)


def write_examples(x: Any, y: Any) -> None:
    """Write rows as a table; each is called after its cultivar and its place."""
    with (HERE / "examples.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", *FEATURES])
        for i, (row, cultivar) in enumerate(zip(x, y, strict=True)):
            table.writerow([f"{CULTIVARS[cultivar]}/{i}", *(f"{v:g}" for v in row)])


if __name__ == "__main__":
    main()
