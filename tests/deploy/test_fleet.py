# SPDX-License-Identifier: Apache-2.0
"""What a Fleet needs of Agones, and what its allocations ask for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "examples" / "agones-allocator"
MANIFEST: Final[dict[str, Any]] = json.loads((FOLDER / "allocation.json").read_text(encoding="utf-8"))
SCHEMA: Final = json.loads((Path(__file__).parent / "allocation.schema.json").read_text(encoding="utf-8"))
VALUES: Final = {"allowAnonymous": True, "mode": "agones", "slots": 8}
TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="module")
def rendered(library: Any, script: Any) -> Any:
    """rendered(**values): the Fleet, and all documents by kind."""
    library("helm_python")
    render = script("k8s/render.py")

    def documents(**values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = YAML(typ="safe").load_all(render.rendered(VALUES | values))
        kinds = {one["kind"]: one for one in found if one}
        return kinds.get("Fleet", {}), kinds

    return documents


def test_a_fleet_brings_the_account_that_agones_needs(rendered: Any, containers: Any) -> None:
    fleet, kinds = rendered()
    template = fleet["spec"]["template"]["spec"]["template"]
    account = template["spec"]["serviceAccountName"]
    assert account == kinds["ServiceAccount"]["metadata"]["name"]
    assert template["spec"]["automountServiceAccountToken"], "Agones' side container speaks to the API server"
    binding = kinds["RoleBinding"]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "agones-sdk"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "segue"}]
    for container in containers(template):
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        assert mounts[TOKEN] == "no-token", f"{container['name']} need not see the token"


def test_what_ends_in_a_pod_is_started_again(rendered: Any) -> None:
    weights = {"claim": "w", "prefetch": True, "acceptLicence": True}
    fleet, _ = rendered(model="mrt2_small", weights=weights)
    spec = fleet["spec"]["template"]["spec"]["template"]["spec"]
    assert spec["restartPolicy"] == "Always", "Agones' own default is Never"
    bridge, waits = spec["initContainers"]
    assert (bridge["name"], bridge["restartPolicy"]) == ("agones", "Always"), "beside the weights and the server"
    assert waits["name"] == "weights"
    assert "restartPolicy" not in waits
    assert [one["name"] for one in spec["containers"]] == ["server"]


def test_nodes_can_be_drained_and_are_filled_one_after_the_other(rendered: Any, library: Any) -> None:
    fleet, _ = rendered()
    spec = fleet["spec"]["template"]["spec"]
    assert spec["eviction"] == {"safe": "OnUpgrade"}
    assert fleet["spec"]["scheduling"] == "Packed"
    keys = [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone"]
    _, kinds = rendered(mode="deployment")
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    assert len(pod["topologySpreadConstraints"]) == 2
    assert not pod["automountServiceAccountToken"]
    assert rendered(agones={"eviction": "Never"})[0]["spec"]["template"]["spec"]["eviction"] == {"safe": "Never"}
    with pytest.raises(library("helm_python").HelmError, match="eviction"):
        rendered(agones={"eviction": "Sometimes"})


def test_the_docs_show_the_manifest_and_it_asks_the_fleet(overlays: dict[str, list[dict[str, Any]]]) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert MANIFEST in shown
    jsonschema.validate(MANIFEST["spec"], SCHEMA)
    [fleet] = [one for one in overlays["agones"] if one["kind"] == "Fleet"]
    spec = fleet["spec"]["template"]["spec"]
    assert MANIFEST["metadata"]["namespace"] == fleet["metadata"]["namespace"]
    for selector in MANIFEST["spec"]["selectors"]:
        assert selector["matchLabels"] == {"agones.dev/fleet": fleet["metadata"]["name"]}
        assert selector["counters"].keys() == spec["counters"].keys()
        overflow = [one["key"] for one in selector.get("matchExpressions", ())]
        assert set(overflow) <= fleet["spec"]["allocationOverflow"]["labels"].keys()
    assert MANIFEST["spec"]["counters"].keys() == spec["counters"].keys()
    assert {port["name"] for port in spec["ports"]} == {"grpc", "web"}


def test_its_rights(library: Any) -> None:
    found = list(YAML(typ="safe").load_all((FOLDER / "rbac.yaml").read_text(encoding="utf-8")))
    for one in found:
        library("kubernetes_validate").validate(one, "1.30", strict=True)
    account, role, binding = found
    assert role["rules"] == [
        {"apiGroups": ["allocation.agones.dev"], "resources": ["gameserverallocations"], "verbs": ["create"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", **account["metadata"]}]
