# SPDX-License-Identifier: Apache-2.0
"""What values become: names, numbers, flags, routes, peers and the download's Job."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from segue_service.settings.fields import names

SCHEMA: Final = json.loads(
    (Path(__file__).resolve().parents[2] / "deploy" / "k8s" / "chart" / "values.schema.json").read_text("utf-8")
)
OPEN: Final = {"allowAnonymous": True}
DOOR: Final = OPEN | {"secrets": {"resumeKeys": "keys"}}
GATEWAY: Final = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["*.example"]}
MODEL: Final = OPEN | {"model": "mrt2_small"}
WEIGHTS: Final = {"claim": "claim", "create": True, "prefetch": True, "acceptLicence": True}


def documents(text: str) -> dict[str, Any]:
    """By kind and name."""
    found = [one for one in YAML(typ="safe").load_all(text) if one]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def test_settings_are_those_of_the_server() -> None:
    assert SCHEMA["properties"]["settings"]["propertyNames"]["enum"] == sorted(names()), "write the list anew"


def integers(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Where integers may stand, and a large one that may."""
    for name, inner in schema.get("properties", {}).items():
        if "integer" in inner.get("type", ""):
            yield (*path, name), min(2_000_000, inner.get("maximum", 2_000_000))
        yield from integers(inner, (*path, name))


@pytest.mark.parametrize(
    "more",
    [
        DOOR | {"frontDoor": {"enabled": True}},
        OPEN | {"autoscaling": {"kind": "hpa"}, "slots": 0},
        OPEN | {"autoscaling": {"kind": "keda"}},
        OPEN | {"mode": "agones"},
    ],
)
def test_large_numbers_are_written_out(more: dict[str, Any], render: Any) -> None:
    values: dict[str, Any] = {}
    for (*folders, name), number in integers(SCHEMA):
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = number
    for name, value in more.items():
        values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
    text = render.rendered(values)
    assert not re.findall(r".*\d[eE]\+\d.*", text)
    assert "2000000" in text


@pytest.mark.parametrize(
    ("release", "name"),
    [("segue", "segue"), ("a" * 40, "a" * 40), ("rel.v1", r"rel-v1-[0-9a-f]{8}"), ("a" * 53, r"a{31}-[0-9a-f]{8}")],
)
def test_names_are_those_of_services(release: str, name: str, render: Any) -> None:
    values = DOOR | {"frontDoor": {"enabled": True}, "model": "mrt2_small", "weights": WEIGHTS}
    found = documents(render.rendered(values, release))
    for one in found.values():
        if one["metadata"]["name"] != "claim":
            assert re.fullmatch(rf"{name}(-[-a-z0-9]+)?", one["metadata"]["name"])
            assert len(one["metadata"]["name"]) <= 63 - len("-abcde")


def test_long_names_that_begin_alike_are_told_apart(render: Any, helm: Any) -> None:
    one, other = (documents(render.rendered(OPEN, "a" * 45 + end)).keys() for end in ("b", "c"))
    assert not one & other
    assert not documents(render.rendered(OPEN, "a.b")).keys() & documents(render.rendered(OPEN, "a-b")).keys()
    with pytest.raises(helm.HelmError, match="letter first"):
        render.rendered(OPEN, "1st")


def test_flags_and_variables_reach_the_command(render: Any) -> None:
    variable = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
    more = {"slots": 8, "devices": "all", "extraArgs": ["--codec=float32"], "extraEnv": [variable]}
    files = {"soundtracks": {"configMap": "music"}}
    server = documents(render.rendered(OPEN | more | files))["Deployment/segue"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert server[0]["args"][-4:] == ["--slots=8", "--devices=all", "--codec=float32", "/etc/segue/soundtracks"]
    assert variable in server[0]["env"]
    plain = documents(render.rendered(OPEN))["Deployment/segue"]["spec"]["template"]["spec"]["containers"][0]
    assert [flag.split("=")[0] for flag in plain["args"]] == ["--config", "--model", "--device"]


def test_the_log_is_json_unless_asked_otherwise(render: Any) -> None:
    for asked, told in (({}, "json"), ({"log_format": "console"}, "console")):
        found = documents(render.rendered(OPEN | {"settings": asked}))["ConfigMap/segue-settings"]
        assert json.loads(found["data"]["settings.json"])["log_format"] == told


@pytest.mark.parametrize("size", ["1Pi", "1e12", 1_000_000_000_000, "1.5Ti"])
def test_quantities_are_kubernetes_own(size: str | int, render: Any) -> None:
    weights = {"claim": "claim", "create": True, "size": size}
    claim = documents(render.rendered(OPEN | {"weights": weights}))["PersistentVolumeClaim/claim"]
    assert claim["spec"]["resources"]["requests"]["storage"] == size
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_another_download_is_another_job(render: Any) -> None:
    token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    proxy = {"ports": [{"port": 3128, "protocol": "TCP"}]}
    volume = {"name": "mirror", "nfs": {"server": "files", "path": "/models"}}
    job: dict[str, Any] = {
        "nodeSelector": {"pool": "cheap"},
        "tolerations": [{"key": "cheap", "operator": "Exists"}],
        "extraArgs": ["--mirror=/mirror"],
        "extraEnv": [token],
        "extraVolumes": [volume],
        "extraVolumeMounts": [{"name": "mirror", "mountPath": "/mirror"}],
        "egress": [proxy],
    }
    seen = {}
    for name, value in ({"": None} | job).items():
        values = MODEL | {"weights": WEIGHTS | ({"job": {name: value}} if name else {})}
        found = documents(render.rendered(values))
        [key] = [key for key in found if key.startswith("Job/")]
        seen[key] = found[key]["spec"]["template"]
        assert found[key]["spec"]["ttlSecondsAfterFinished"] > 0
    assert len(seen) == len(job), "all but the policy change the pod"
    found = documents(render.rendered(MODEL | {"weights": WEIGHTS | {"job": job}}))
    [pod] = [one["spec"]["template"]["spec"] for one in found.values() if one["kind"] == "Job"]
    [container] = pod["containers"]
    assert (pod["nodeSelector"], pod["tolerations"]) == (job["nodeSelector"], job["tolerations"])
    assert container["command"][-2:] == ["--accept-licence", "--mirror=/mirror"]
    assert token in container["env"]
    assert volume in pod["volumes"]
    assert job["extraVolumeMounts"][0] in container["volumeMounts"]
    assert proxy in found["NetworkPolicy/segue-prefetch"]["spec"]["egress"]


@pytest.mark.parametrize("door", [True, False])
def test_who_may_call_is_added_to_the_front_door(door: bool, render: Any) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"game": "yes"}}}
    for peers in ([], [peer]):
        values = DOOR | {"frontDoor": {"enabled": door}, "networkPolicy": {"from": peers}}
        found = documents(render.rendered(values))
        rule = found["NetworkPolicy/segue"]["spec"]["ingress"][0]
        given = rule.get("from", [])
        assert given[door:] == peers
        if door:
            labels = found["Deployment/segue-front-door"]["spec"]["template"]["metadata"]["labels"]
            assert given[0]["podSelector"]["matchLabels"].items() <= labels.items()
        assert ("from" in rule) == (door or bool(peers)), "nobody else, or everybody"


@pytest.mark.parametrize("secret", ["", "cert"])
def test_services_say_whether_pods_speak_tls(secret: str, render: Any) -> None:
    found = documents(render.rendered(DOOR | {"frontDoor": {"enabled": True}, "tls": {"secretName": secret}}))
    said = [
        port["appProtocol"] for name in ("segue", "segue-pods") for port in found[f"Service/{name}"]["spec"]["ports"]
    ]
    assert said == (["https"] * 3 if secret else ["kubernetes.io/h2c", "http", "kubernetes.io/h2c"])


def test_pages_come_by_a_route_and_a_name_of_their_own(render: Any) -> None:
    door = {"enabled": True, "origins": ["*"]}
    found = documents(render.rendered(DOOR | {"frontDoor": door | {"gateway": GATEWAY}}))
    assert not [name for name in found if name.startswith("HTTPRoute")]
    web = GATEWAY | {"webHostnames": ["web.game.example"]}
    found = documents(render.rendered(DOOR | {"frontDoor": door | {"gateway": web}}))
    route, native = found["HTTPRoute/segue-web"]["spec"], found["GRPCRoute/segue"]["spec"]
    assert (route["hostnames"], native["hostnames"]) == (["web.game.example"], ["*.example"])
    paths = {match["path"]["value"] for match in route["rules"][0]["matches"]}
    assert paths == {f"/{match['method']['service']}" for match in native["rules"][0]["matches"]}
    assert route["rules"][0]["backendRefs"] == native["rules"][0]["backendRefs"]


@pytest.mark.parametrize("scaled", [True, False])
def test_a_front_door_has_replicas_or_a_scaler(scaled: bool, render: Any) -> None:
    door = {"enabled": True, "replicas": 3, "autoscaling": {"enabled": scaled}}
    found = documents(render.rendered(DOOR | {"frontDoor": door, "monitoring": {"podMonitor": True}}))
    assert ("HorizontalPodAutoscaler/segue-front-door" in found) == scaled
    assert found["Deployment/segue-front-door"]["spec"].get("replicas") == (None if scaled else 3)
    [endpoint] = found["PodMonitor/segue-front-door"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/stats/prometheus")


@pytest.mark.parametrize("kept", [True, False])
def test_traces_of_callers_are_kept_where_that_is_wanted(kept: bool, render: Any) -> None:
    door = {"enabled": True, "traceContext": kept}
    found = documents(render.rendered(DOOR | {"frontDoor": door}))["ConfigMap/segue-front-door"]
    config = YAML(typ="safe").load(found["data"]["envoy.yaml"])
    [chain] = config["static_resources"]["listeners"][0]["filter_chains"]
    removed = chain["filters"][0]["typed_config"]["route_config"]["request_headers_to_remove"]
    assert removed == ["segue-route", *([] if kept else ["traceparent", "tracestate"])]


@pytest.mark.parametrize("seconds", [300, 1800])
def test_a_rollout_is_given_the_time_that_a_pod_is(seconds: int, render: Any) -> None:
    found = documents(render.rendered(OPEN | {"probes": {"startupSeconds": seconds}}))
    assert found["Deployment/segue"]["spec"]["progressDeadlineSeconds"] > seconds
