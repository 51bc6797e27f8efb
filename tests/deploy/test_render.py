# SPDX-License-Identifier: Apache-2.0
"""The chart: Helm's own lint, what the schema and the chart refuse, and that the overlays are what it renders."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"


@pytest.fixture(scope="module")
def helm(library: Any) -> Any:
    return library("helm_python")


@pytest.fixture(scope="module")
def render(helm: Any, script: Any) -> Any:
    return script("k8s/render.py")


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
def test_kustomize_builds_it_without_plug_ins(overlay: str, overlays: Any) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("NOT CHECKED, kubectl is not here: apt-get install kubectl, or any kubectl of 1.27 or later")
    command = ["kubectl", "kustomize", str(K8S / "overlays" / overlay)]
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
        ({"frontDoor": {"origins": ["game.example"]}}, "origins"),
        ({"frontDoor": {"gateway": {"enabled": True}}}, "gateway"),
        ({"allowAnonymous": False}, "secrets.tenants or secrets.jwks"),
        ({"model": "mrt2_base"}, "model mrt2_base: needs weights.claim"),
        ({"model": "mrt2_base", "weights": {"claim": "w", "prefetch": True}}, "acceptLicence"),
        ({"secrets": {"jwks": "keys"}}, "jwt.issuer and jwt.audience"),
        ({"soundtracks": {"configMap": "s", "hotReload": True}}, "secrets.operatorToken"),
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
    values = {
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


def test_pods_with_tls_are_asked_by_https(render: Any) -> None:
    probes = []
    for clients in (False, True):
        values = {"allowAnonymous": True, "tls": {"secretName": "cert", "clientCertificates": clients}}
        documents = [one for one in YAML(typ="safe").load_all(render.rendered(values)) if one]
        [pod] = [one["spec"]["template"] for one in documents if one["kind"] == "Deployment"]
        probes.append(pod["spec"]["containers"][0]["readinessProbe"])
    assert probes[0]["httpGet"] == {"path": "/healthz", "port": "web", "scheme": "HTTPS"}
    assert probes[1]["exec"]["command"][-1] == "/etc/segue/tls"
