# SPDX-License-Identifier: Apache-2.0
"""Every manifest against the schemas of two Kubernetes versions, and other projects' kinds against crds.json.

crds.json is ours: only the fields that the manifests use, closed, so that a misspelt one is found.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

CRDS: Final = json.loads((Path(__file__).parent / "crds.json").read_text(encoding="utf-8"))
VERSIONS: Final = ("1.30", "1.37")


def problems(manifest: dict[str, Any]) -> list[str]:
    """Of a manifest of another project's kind."""
    crd = CRDS[manifest["kind"]]
    assert manifest["apiVersion"] == crd["apiVersion"]
    validator = jsonschema.Draft202012Validator(crd["spec"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest["spec"])]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_kinds(version: str, manifests: list[dict[str, Any]], library: Any) -> None:
    validate = library("kubernetes_validate").validate
    checked = 0
    for manifest in manifests:
        if manifest["kind"] not in CRDS:
            validate(manifest, version, strict=True)
            checked += 1
    assert checked >= 7


def test_a_misspelt_field_is_found(manifests: list[dict[str, Any]], library: Any) -> None:
    validator = library("kubernetes_validate")
    service = deepcopy(next(one for one in manifests if one["kind"] == "ServiceAccount"))
    service["automountServiceAcountToken"] = False
    with pytest.raises(validator.ValidationError):
        validator.validate(service, VERSIONS[0], strict=True)


def test_other_kinds(manifests: list[dict[str, Any]]) -> None:
    for manifest in manifests:
        if manifest["kind"] in CRDS:
            assert problems(manifest) == [], f"{manifest['kind']} {manifest['metadata']['name']}"


def test_every_other_kind_is_used_and_its_schema_bites(overlays: dict[str, list[dict[str, Any]]]) -> None:
    found = {one["kind"]: one for manifests in overlays.values() for one in manifests if one["kind"] in CRDS}
    rules = Path(__file__).resolve().parents[2] / "deploy" / "k8s" / "chart" / "files" / "segue.rules.yaml"
    assert found.keys() == CRDS.keys() - (set() if rules.exists() else {"PrometheusRule"})
    for manifest in found.values():
        bad = deepcopy(manifest)
        bad["spec"]["maxReplicaCountt"] = 3
        assert problems(bad)


def test_the_pod_of_a_fleet_is_a_pod(overlays: dict[str, list[dict[str, Any]]], library: Any, pods: Any) -> None:
    [template] = [pod for name, pod in pods(overlays["agones"]).items() if name.startswith("Fleet/")]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", **template["metadata"]}}
    for version in VERSIONS:
        library("kubernetes_validate").validate(pod | {"spec": template["spec"]}, version, strict=True)
