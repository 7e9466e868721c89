"""Clients that others wrote, each in an environment of its own, against loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, serving

import pellucid
from pellucid.serve.auth import Guard
from pellucid.serve.server import ServerSettings
from places import SAMPLES
from venvs import environment_with, python_with

pytestmark = pytest.mark.slow

WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]

# The SDK's own requirements are here already, but for these.
SDK = (
    *(
        "explainable-ai-sdk==1.3.3",
        "google-auth",
        "pyasn1",
        "pyasn1-modules",
        "cryptography",
        "cffi",
    ),
    *("requests", "urllib3", "idna", "certifi", "charset-normalizer"),
)
REQUESTS = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    models = [f"{name}={SAMPLES / name / 'model'}" for name in ("wine", "diabetes", "digits")]
    with serving("7465926=" + str(SAMPLES / "wine" / "model"), *models) as running:
        yield running


Client = Callable[..., Any]


@pytest.fixture
def client(running: Running) -> Client:
    """``client(python, script, argument)`` is the JSON that a script printed last."""

    def run(python: Path, script: str, *arguments: object, **environment: str) -> Any:
        done = subprocess.run(
            [str(python), "-W", "ignore", "-c", script, *map(str, arguments)],
            input=json.dumps({"url": running.url, "port": running.port, "wines": WINES}),
            env={k: v for k, v in os.environ.items() if "PROXY" not in k.upper()} | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def own(name: str, instances: Any, **settings: Any) -> Any:
    model = pellucid.load(SAMPLES / name / "model", warn=lambda sentence: None)
    return model.explain(instances, **settings)


VERTEX_CLIENT = """
import json, sys
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
from google.cloud.aiplatform_v1.types import ExplainRequest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

given = json.load(sys.stdin)

def value(item):
    return json_format.ParseDict(item, Value())

client = PredictionServiceClient(
    credentials=AnonymousCredentials(), transport="rest",
    client_options={"api_endpoint": given["url"]},
)
endpoint = "projects/p/locations/europe-west4/endpoints/7465926"
instances = [value(wine) for wine in given["wines"]]
predicted = client.predict(endpoint=endpoint, instances=instances)
explained = client.explain(endpoint=endpoint, instances=instances)
changed = client.explain(request=ExplainRequest.from_json(json.dumps({
    "endpoint": endpoint, "instances": given["wines"], "explanationSpecOverride": {
        "parameters": {"topK": 2, "integratedGradientsAttribution": {"stepCount": 9}},
        "metadata": {"inputs": {"alcohol": {"inputBaselines": [13.5]}}},
    },
})))
errors = []
for name, body in (("nobody", instances), ("7465926", [value("much")])):
    try:
        client.explain(endpoint=endpoint.replace("7465926", name), instances=body)
    except exceptions.GoogleAPICallError as error:
        errors.append([type(error).__name__, error.message])
print(json.dumps({
    "predictions": [list(p) for p in predicted.predictions],
    "deployed": predicted.deployed_model_id,
    "scores": [e.attributions[0].instance_output_value for e in explained.explanations],
    "baselines": [e.attributions[0].baseline_output_value for e in explained.explanations],
    "errors_of_approximation": [e.attributions[0].approximation_error
                                for e in explained.explanations],
    "indices": [list(e.attributions[0].output_index) for e in explained.explanations],
    "names": [e.attributions[0].output_display_name for e in explained.explanations],
    "features": [dict(e.attributions[0].feature_attributions)["alcohol"][0]
                 for e in explained.explanations],
    "changed": [[a.output_index[0] for a in e.attributions] for e in changed.explanations],
    "changed_baseline": changed.explanations[0].attributions[0].baseline_output_value,
    "errors": errors,
}))
"""


@pytest.fixture(scope="module")
def aiplatform() -> Path:
    return environment_with("aiplatform", ("google-cloud-aiplatform",)) / "bin" / "python"


VERTEX_SDK = """
import json, sys
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

given = json.load(sys.stdin)
aiplatform.init(
    project="p", location="europe-west4", credentials=AnonymousCredentials(),
    api_endpoint=given["url"], api_transport="rest",
)
endpoint = aiplatform.Endpoint("7465926")
explained = endpoint.explain(instances=given["wines"])
print(json.dumps({
    "name": endpoint.display_name,
    "predictions": endpoint.predict(instances=given["wines"]).predictions,
    "explained": explained.predictions,
    "features": [dict(e.attributions[0].feature_attributions)["alcohol"][0]
                 for e in explained.explanations],
}))
"""


def test_the_vertex_sdk_s_endpoint(client: Client, aiplatform: Path) -> None:
    found = client(aiplatform, VERTEX_SDK)
    expected = own("wine", WINES)
    assert found["name"] == "7465926"
    for key in ("predictions", "explained"):
        wanted = [e.prediction for e in expected]
        np.testing.assert_allclose(found[key], wanted, rtol=2e-4, atol=1e-6, err_msg=key)
    features = [float(e.labels[0].features["alcohol"][0]) for e in expected]
    np.testing.assert_allclose(found["features"], features, rtol=2e-4, atol=1e-6)


def test_google_s_prediction_client_over_rest(client: Client, aiplatform: Path) -> None:
    found = client(aiplatform, VERTEX_CLIENT)
    expected = own("wine", WINES)
    labels = [e.labels[0] for e in expected]
    for key, values in (
        ("scores", [label.score for label in labels]),
        ("baselines", [label.baseline_score for label in labels]),
        ("errors_of_approximation", [label.approx_error for label in labels]),
        ("features", [float(label.features["alcohol"][0]) for label in labels]),
        ("predictions", [e.prediction for e in expected]),
    ):
        np.testing.assert_allclose(found[key], values, rtol=2e-4, atol=1e-6, err_msg=key)
    assert found["indices"] == [list(label.index) for label in labels]
    assert found["names"] == [label.name for label in labels]
    assert [len(indices) for indices in found["changed"]] == [2, 2, 2]
    assert abs(found["changed_baseline"] - labels[0].baseline_score) > 1e-4
    (lost, sentence), (bad, other) = found["errors"]
    assert (lost, bad) == ("NotFound", "BadRequest")
    assert (
        "there is no model 'nobody'" in sentence
        and "instances[0]: the model has 13 inputs" in other
    )


SDK_REMOTE = """
import json, sys
import google.auth.credentials
import explainable_ai_sdk

class Credentials(google.auth.credentials.Credentials):
    def refresh(self, request):
        self.token = "none"

given = json.load(sys.stdin)
names = list(given["wines"][0])
model = explainable_ai_sdk.load_model_from_ai_platform(
    "p", "wine", "1", credentials=Credentials(), input_modalities={"all": names}
)
vertex = explainable_ai_sdk.load_model_from_vertex(
    "p", "europe-west4", "wine", credentials=Credentials(), input_modalities={"all": names}
)
def told(explanation):
    found = explanation.get_attribution()
    index = found.label_index
    return [int(index[0] if isinstance(index, list) else index), found.label_name,
            float(found.example_score), float(found.baseline_score),
            explanation.feature_importance()]
try:
    model.explain([3])
    refused = ""
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "predictions": model.predict(given["wines"])["predictions"],
    "ai_platform": [told(e) for e in model.explain(given["wines"])],
    "vertex": [told(e) for e in vertex.explain(given["wines"])],
    "refused": refused,
}))
"""


def test_the_official_sdk_reads_the_answers_of_both_services(
    client: Client, running: Running
) -> None:
    python = python_with("sdk", SDK, beside=True)
    found = client(
        python, SDK_REMOTE, CLOUDSDK_API_ENDPOINT_OVERRIDES_ML=running.url, MPLBACKEND="agg"
    )
    expected = own("wine", WINES)
    for told in (found["ai_platform"], found["vertex"]):
        for (index, name, score, baseline, importance), explanation in zip(
            told, expected, strict=True
        ):
            label = explanation.labels[0]
            assert (index, name) == (label.index[0], label.name)
            assert (score, baseline) == pytest.approx((label.score, label.baseline_score), rel=1e-4)
            for feature, value in importance.items():
                assert value == pytest.approx(float(label.features[feature][0]), rel=1e-3, abs=1e-5)
            assert len(importance) > 5
    np.testing.assert_allclose(
        found["predictions"], [e.prediction for e in expected], rtol=1e-4, atol=1e-7
    )
    assert "Explanation call failed" in found["refused"] and "instances[0]" in found["refused"]


SDK_LOCAL = """
import json, sys
import explainable_ai_sdk
from explainable_ai_sdk.model import configs

wine, digits = sys.argv[1:]
given = json.load(sys.stdin)
before = ""
try:
    explainable_ai_sdk.load_model_from_local_path(wine, configs.IntegratedGradientsConfig(50))
except NotImplementedError as error:
    before = str(error)

import pellucid.sdk
pellucid.sdk.register()

model = explainable_ai_sdk.load_model_from_local_path(wine, configs.IntegratedGradientsConfig(20))
def told(explanation):
    found = explanation.get_attribution()
    return [found.label_index, float(found.example_score), float(found.baseline_score),
            explanation.feature_importance()]

wines = given["wines"]
params = configs.AttributionParameters
shapley = explainable_ai_sdk.load_model_from_local_path(wine, configs.SampledShapleyConfig(5))
refused = ""
try:
    model.explain(wines, params(attribution_config=configs.SampledShapleyConfig()))
except ValueError as error:
    refused = "ValueError"
except Exception as error:
    refused = str(error)
pictures = explainable_ai_sdk.load_model_from_local_path(digits, configs.XraiConfig(10))
image = json.load(open(digits + "/../instances.json"))["instances"][0]
(picture,) = pictures.explain([image])
picture.visualize_attributions()
model.explain(wines)[0].visualize_attributions()
name = next(iter(picture.get_attribution().attrs_dict))
print()
print(json.dumps({
    "before": before,
    "predictions": [{k: v.tolist() for k, v in p.items()} for p in model.predict(wines)],
    "plain": [told(e) for e in model.explain(wines)],
    "top": [e.get_top_k_indices() for e in model.explain(wines, params(top_k=2))],
    "labels": [e.get_top_k_indices() for e in model.explain(wines, params(label_indices=[1]))],
    "each": [e.get_top_k_indices() for e in model.explain(
        wines, params(label_indices=[[0], [1], [2]]))],
    "baselines": [told(e) for e in model.explain(wines, params(baselines=wines[1:3]))],
    "shapley": [told(e) for e in shapley.explain(wines)],
    "refused": refused,
    "picture": [list(picture.get_attribution().post_processed_attributions[name]),
                list(picture.get_attribution().attrs_dict[name].shape)],
}))
"""


def test_the_official_sdk_s_local_model(client: Client) -> None:
    directories = [SAMPLES / name / "model" for name in ("wine", "digits")]
    found = client(python_with("sdk", SDK, beside=True), SDK_LOCAL, *directories, MPLBACKEND="agg")
    assert found["before"] == "There are no implementations of local model."
    expected = own("wine", WINES, steps=20)
    for (index, score, baseline, importance), explanation in zip(
        found["plain"], expected, strict=True
    ):
        label = explanation.labels[0]
        assert index == label.index[0]
        assert (score, baseline) == pytest.approx((label.score, label.baseline_score), rel=1e-4)
        assert set(importance) == set(label.features)
        assert sum(importance.values()) == pytest.approx(score - baseline, rel=0.05, abs=1e-3)
    (output,) = found["predictions"][0]
    np.testing.assert_allclose(
        [p[output] for p in found["predictions"]],
        [e.prediction for e in expected],
        rtol=1e-4,
        atol=1e-7,
    )
    assert [len(top) for top in found["top"]] == [2, 2, 2]
    assert found["labels"] == [[1], [1], [1]] and found["each"] == [[0], [1], [2]]
    scores = {i: float(e.prediction[i]) for i, e in enumerate(expected)}
    mean = np.mean([e.prediction[found["baselines"][0][0]] for e in list(expected)[1:3]])
    assert found["baselines"][0][2] == pytest.approx(float(mean), rel=1e-3), scores
    for index, score, baseline, importance in found["shapley"]:
        assert index in (0, 1, 2)
        assert sum(importance.values()) == pytest.approx(score - baseline, abs=1e-5)
    assert found["refused"].startswith("attribution_config: the model was loaded with Integrated")
    assert found["picture"] == [["b64_jpeg"], [28, 28]]


# The client of KServe's example: a gray digit as [28, 28, 3], answers drawn by label2rgb.
KSERVE_CLIENT = """
import json, sys
import numpy as np
import requests
from matplotlib import pyplot
from skimage.color import gray2rgb, label2rgb

given = json.load(sys.stdin)
path, port, parameters, picture = sys.argv[1:]
digit = np.load(path)
image = gray2rgb(digit.reshape((-1, 28, 28))).reshape((28, 28, 3))
body = {"instances": [image.tolist()], **json.loads(parameters)}
answer = requests.post(
    f"http://127.0.0.1:{port}/v1/models/aix-explainer:explain", json=body,
    headers={"Host": "aix-explainer.default.example.com"},
)
answer.raise_for_status()
found = answer.json()["explanations"]
temp, masks, labels = (np.array(found[key]) for key in ("temp", "masks", "top_labels"))
figure, axes = pyplot.subplots(-(-len(labels) // 5), 5, figsize=(12, 6))
for i, axis in enumerate(axes.flatten()):
    axis.axis("off")
    if i < len(labels):
        axis.imshow(label2rgb(masks[i], temp, bg_label=0), interpolation="nearest")
        axis.set_title(f"Positive for {labels[i]} Actual 2")
pyplot.savefig(picture)
print(json.dumps({"labels": labels.tolist(), "temp": temp.shape, "masks": masks.shape,
                  "same": bool(np.allclose(temp, image)), "marks": np.unique(masks).tolist()}))
"""


@pytest.fixture(scope="module")
def gray_as_rgb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits behind [28, 28, 3], as the example's predictor took them."""
    from pellucid.runtime.engine.tensorflow import tf

    digits = tf.saved_model.load(str(SAMPLES / "digits" / "model"))

    class Rgb(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = digits

        @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 3], tf.float32)])
        def serve(self, image: Any) -> Any:
            gray = tf.reduce_mean(image, -1)
            return {
                "scores": next(iter(self.inner.signatures["serving_default"](image=gray).values()))
            }

    directory = tmp_path_factory.mktemp("rgb")
    module = Rgb()
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.serve})
    return directory


def test_kserve_s_example(gray_as_rgb: Path, client: Client, tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(SAMPLES / "digits" / "images" / "two.png") as file:
        digit = np.asarray(file.convert("L"), np.float32) / 255
    np.save(tmp_path / "two.npy", digit)
    keys = json.dumps({"top_labels": "10", "num_samples": "100"})
    # It asks at the address of the ingress, by the name of its service.
    settings = ServerSettings(poll=0, guard=Guard(hosts=("*",)))
    with serving(f"aix-explainer={gray_as_rgb}", settings=settings) as aix:
        python = python_with("requests", REQUESTS, beside=True)
        found = client(
            python,
            KSERVE_CLIENT,
            *(tmp_path / "two.npy", aix.port, keys, tmp_path / "panel.png"),
            MPLBACKEND="agg",
        )
    assert found["labels"][0] == 2 and sorted(found["labels"]) == list(range(10))
    assert (found["temp"], found["masks"]) == ([28, 28, 3], [10, 28, 28])
    assert found["same"] and set(found["marks"]) == {0, 1}
    assert (tmp_path / "panel.png").stat().st_size > 10_000


TRITON = ("tritonclient[http]>=2.50", "numpy")


def test_tritons_own_client_asks_by_the_open_inference_protocol(client: Client) -> None:
    """JSON and raw bytes; what is not there is its own exception."""
    python = environment_with("triton", TRITON) / "bin" / "python"
    script = (
        "import json, sys, numpy as np, tritonclient.http as t\n"
        "from tritonclient.utils import InferenceServerException\n"
        "given = json.load(sys.stdin)\n"
        "c = t.InferenceServerClient(given['url'].removeprefix('http://'))\n"
        "found = {'live': c.is_server_live(), 'ready': c.is_server_ready(),\n"
        "         'model': c.is_model_ready('wine'), 'name': c.get_server_metadata()['name']}\n"
        "about = c.get_model_metadata('wine')\n"
        "for binary in (True, False):\n"
        "    inputs = []\n"
        "    for it in about['inputs']:\n"
        "        values = np.array([w[it['name']] for w in given['wines']], np.float32)\n"
        "        values = values.reshape([len(values), *it['shape'][1:]])\n"
        "        inputs.append(t.InferInput(it['name'], list(values.shape), it['datatype']))\n"
        "        inputs[-1].set_data_from_numpy(values, binary_data=binary)\n"
        "    name = about['outputs'][0]['name']\n"
        "    outputs = [t.InferRequestedOutput(name, binary_data=binary)]\n"
        "    answer = c.infer('wine', inputs, outputs=outputs, request_id='7')\n"
        "    found[str(binary)] = answer.as_numpy(name).tolist()\n"
        "    whole = c.infer('wine', inputs)\n"
        "    found['whole'] = whole.as_numpy(name).tolist()\n"
        "    found['id'] = answer.get_response()['id']\n"
        "try:\n"
        "    c.infer('none', inputs)\n"
        "except InferenceServerException as error:\n"
        "    found['error'] = error.message()\n"
        "print(json.dumps(found))\n"
    )
    found = client(python, script)
    model = pellucid.load(SAMPLES / "wine" / "model", warn=lambda message: None)
    wanted = np.array(model.predict(WINES))
    for key in ("True", "False", "whole"):
        np.testing.assert_allclose(np.array(found[key]), wanted, rtol=1e-5)
    assert [found[key] for key in ("live", "ready", "model", "id")] == [True, True, True, "7"]
    assert "there is no model 'none'" in found["error"]
