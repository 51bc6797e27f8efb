# SPDX-License-Identifier: Apache-2.0
"""What schemas can't see: that manifests find each other, and that what they say is what the server reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from segue_service.api.health import ROOM
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.settings.file import from_file

Manifest = dict[str, Any]
TEXTS: Final = {"settings.json", "envoy.yaml"}
OUTSIDE: Final = {
    "Secret": {
        "segue-tenants": {"tenants.yaml"},
        "segue-jwks": {"jwks.json"},
        "segue-resume-keys": {"keys.txt"},
        "segue-operator-token": {"token"},
        "segue-public-tls": {"tls.crt", "tls.key"},
        "segue-tls": {"tls.crt", "tls.key", "ca.crt"},
    },
    "ConfigMap": {"segue-soundtracks": set()},
}
"""What an overlay's user makes, as docs/kubernetes.md says, and its keys."""


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def selects(selector: dict[str, str], template: Manifest) -> bool:
    return selector.items() <= template["metadata"]["labels"].items()


def ports_of(template: Manifest) -> dict[str, int]:
    """Name → number, of all containers."""
    found = [port for one in template["spec"]["containers"] for port in one.get("ports", [])]
    assert len({port["name"] for port in found}) == len(found)
    return {port["name"]: port["containerPort"] for port in found}


def settings_of(manifests: list[Manifest]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(named(manifests, "ConfigMap")["segue-settings"]["data"]["settings.json"])
    return found


def test_selectors_find_pods(manifests: list[Manifest], pods: Any) -> None:
    templates = pods(manifests)
    for name, one in named(manifests, "Deployment").items():
        assert selects(one["spec"]["selector"]["matchLabels"], templates[f"Deployment/{name}"])
    selectors = [one["spec"]["selector"] for one in named(manifests, "Service").values()]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in named(manifests, "PodDisruptionBudget").values()]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in named(manifests, "PodMonitor").values()]
    policies = named(manifests, "NetworkPolicy").values()
    selectors += [one["spec"]["podSelector"]["matchLabels"] for one in policies]
    for policy in policies:
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            peers = (*rule.get("from", ()), *rule.get("to", ()))
            selectors += [peer["podSelector"]["matchLabels"] for peer in peers if "podSelector" in peer]
    for template in templates.values():
        for spread in template["spec"].get("topologySpreadConstraints", ()):
            assert selects(spread["labelSelector"]["matchLabels"], template)
    for selector in selectors:
        assert [name for name, template in templates.items() if selects(selector, template)], selector


def test_every_pod_has_a_policy_that_lets_its_ports_be_reached(manifests: list[Manifest], pods: Any) -> None:
    for name, template in pods(manifests).items():
        policies = [
            one["spec"]
            for one in named(manifests, "NetworkPolicy").values()
            if selects(one["spec"]["podSelector"]["matchLabels"], template)
        ]
        assert policies, name
        assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in policies)
        opened = {port["port"] for one in policies for rule in one["ingress"] for port in rule["ports"]}
        assert opened == set(ports_of(template).values()), name


def test_services_routes_and_probes_name_ports_that_there_are(
    manifests: list[Manifest], pods: Any, containers: Any
) -> None:
    templates = pods(manifests)
    for service in named(manifests, "Service").values():
        [template] = [one for one in templates.values() if selects(service["spec"]["selector"], one)]
        assert all(port["targetPort"] in ports_of(template) for port in service["spec"]["ports"])
    for route in (*named(manifests, "GRPCRoute").values(), *named(manifests, "HTTPRoute").values()):
        for backend in (backend for rule in route["spec"]["rules"] for backend in rule["backendRefs"]):
            ports = named(manifests, "Service")[backend["name"]]["spec"]["ports"]
            assert backend["port"] in {port["port"] for port in ports}
    for monitor in named(manifests, "PodMonitor").values():
        [template] = [one for one in templates.values() if selects(monitor["spec"]["selector"]["matchLabels"], one)]
        assert all(one["port"] in ports_of(template) for one in monitor["spec"]["podMetricsEndpoints"])
    probed = 0
    for template in templates.values():
        for container in containers(template):
            for probe in (container[name] for name in container if name.endswith("Probe")):
                port = probe.get("grpc", probe.get("httpGet", {})).get("port")
                assert port in {*ports_of(template), *ports_of(template).values()}
                probed += 1
    assert probed >= 3
    for fleet in named(manifests, "Fleet").values():
        ports = ports_of(templates[f"Fleet/{fleet['metadata']['name']}"])
        given = fleet["spec"]["template"]["spec"]["ports"]
        assert {port["name"]: port["containerPort"] for port in given}.items() <= ports.items()


def test_scalers_name_what_they_scale(manifests: list[Manifest]) -> None:
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for one in named(manifests, kind).values():
            target = named(manifests, "Deployment")[one["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"], "the scaler's number would be undone by every apply"
    for one in named(manifests, "FleetAutoscaler").values():
        fleet = named(manifests, "Fleet")[one["spec"]["fleetName"]]
        assert one["spec"]["policy"]["counter"]["key"] in fleet["spec"]["template"]["spec"]["counters"]
        assert "replicas" not in fleet["spec"], "the scaler's number would be undone by every apply"


def test_metrics_that_are_asked_for_are_counted(overlays: dict[str, list[Manifest]]) -> None:
    known = {sample.name for metric in Metrics().registry.collect() for sample in metric.samples}
    asked = set()
    for one in (one for manifests in overlays.values() for one in manifests):
        if one["kind"] == "ScaledObject":
            asked |= set(re.findall(r"segue_\w+", one["spec"]["triggers"][0]["metadata"]["query"]))
        elif one["kind"] == "HorizontalPodAutoscaler":
            asked |= {metric["pods"]["metric"]["name"] for metric in one["spec"]["metrics"] if metric["type"] == "Pods"}
    assert asked == {"segue_sessions", "segue_slots"}
    assert asked <= known


def test_volumes_and_their_sources(manifests: list[Manifest], pods: Any, containers: Any) -> None:
    claims = named(manifests, "PersistentVolumeClaim")
    for name, template in pods(manifests).items():
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", [])}
        mounts = [mount for one in containers(template) for mount in one.get("volumeMounts", [])]
        assert {mount["name"] for mount in mounts} == volumes.keys(), name
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "configMap" in volume:
                assert volume["configMap"]["name"] in named(manifests, "ConfigMap").keys() | OUTSIDE["ConfigMap"].keys()
            if "secret" in volume:
                keys = {item["key"] for item in volume["secret"].get("items", ())}
                assert keys <= OUTSIDE["Secret"][volume["secret"]["secretName"]]
                assert volume["secret"]["defaultMode"] == 0o440
        account = template["spec"].get("serviceAccountName")
        assert account is None or account in named(manifests, "ServiceAccount")


def test_the_server_takes_its_settings(manifests: list[Manifest], pods: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings_of(manifests)), encoding="utf-8")
    layer = from_file(file)
    assert layer.problems == []
    values = settings_of(manifests)
    plain = {name: value for name, value in values.items() if name in Settings.model_fields}
    settings = Settings(**plain)
    assert settings.allow_anonymous or settings.tenants_file or settings.jwks_file
    [template] = [one for name, one in pods(manifests).items() if name in ("Deployment/segue", "Fleet/segue")]
    ports = ports_of(template)
    assert (settings.port, settings.web_port, settings.metrics_port) == (ports["grpc"], ports["web"], ports["metrics"])
    server = template["spec"]["containers"][0]
    folders = {mount["mountPath"] for mount in server["volumeMounts"]}
    volumes = {one["name"]: one for one in template["spec"]["volumes"]}
    for path in (
        Path(value) for name, value in values.items() if name.startswith(("tls_", "tenants", "jwks")) or "_file" in name
    ):
        assert str(path.parent) in folders
        mount = next(one for one in server["volumeMounts"] if one["mountPath"] == str(path.parent))
        assert path.name in OUTSIDE["Secret"][volumes[mount["name"]]["secret"]["secretName"]]
    for variable in (one["name"] for one in server["env"] if one["name"].startswith("SEGUE_")):
        assert variable == "SEGUE_MODELS" or variable.removeprefix("SEGUE_").lower() in Settings.model_fields


def test_a_pod_has_the_time_to_drain(manifests: list[Manifest], pods: Any) -> None:
    settings = settings_of(manifests)
    for name, template in pods(manifests).items():
        if name in ("Deployment/segue", "Fleet/segue"):
            before = template["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            drain = (settings["drain_ms"] + settings["goodbye_ms"]) / 1000
            assert template["spec"]["terminationGracePeriodSeconds"] >= before + drain + 5


def test_pods_are_restricted(manifests: list[Manifest], pods: Any, containers: Any) -> None:
    for name, template in pods(manifests).items():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 10_000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False, "SEGUE_PORT would be Kubernetes' own"
        tokens = "/var/run/secrets/kubernetes.io/serviceaccount"
        for container in containers(template):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert re.fullmatch(r"[a-z/]+:[\w.-]+", container["image"])
            assert not container["image"].endswith(":latest")
            if name.startswith("Fleet/") and container["name"] != "server":
                assert tokens in {mount["mountPath"] for mount in container["volumeMounts"]}
        if not name.startswith("Fleet/"):
            assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("overlay", ["gpu", "tpu"])
def test_the_front_door_leads_to_the_servers(overlay: str, overlays: dict[str, list[Manifest]], pods: Any) -> None:
    manifests = overlays[overlay]
    config = YAML(typ="safe").load(named(manifests, "ConfigMap")["segue-front-door"]["data"]["envoy.yaml"])
    resources = config["static_resources"]
    ports = ports_of(pods(manifests)["Deployment/segue-front-door"])
    listeners = {one["name"]: one["address"]["socket_address"]["port_value"] for one in resources["listeners"]}
    assert listeners == {"public": ports["grpc"], "metrics": ports["metrics"]}
    asked = set()
    for cluster in resources["clusters"][1:]:
        [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        service = named(manifests, "Service")[address["address"].removesuffix(".segue.svc.cluster.local")]
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"], "a pod that drains has sessions"
        assert address["port_value"] in {port["port"] for port in service["spec"]["ports"]}
        asked.add(cluster["health_checks"][0]["grpc_health_check"]["service_name"])
    assert asked == {"segue.v1.LiveSoundtrackService", ROOM}
    template = pods(manifests)["Deployment/segue"]
    environment = {one["name"]: one for one in template["spec"]["containers"][0]["env"]}
    assert environment["SEGUE_SESSION_ROUTE"]["value"] == f"$(POD_IP):{ports_of(template)['grpc']}"
