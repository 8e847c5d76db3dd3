"""The manifests in deploy/kubernetes are rendered, follow the schemas of Kubernetes, and grant little."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.commands import parsed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
KEDA = {"ScaledObject", "TriggerAuthentication"}  # whose schemas are in no package
pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed (1.27 or newer, from kubernetes.io)"
)


@cache
def rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    command = ("kubectl", "kustomize", str(FOLDER / "overlays" / overlay))
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(yaml.safe_load_all(told.stdout))


def pods(overlay: str) -> list[dict[str, Any]]:
    templates = (spec(manifest).get("template") for manifest in rendered(overlay))
    return [template["spec"] for template in templates if template is not None]


def spec(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest.get("spec", {})
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_follows_its_schema(overlay) -> None:
    for manifest in rendered(overlay):
        if manifest["kind"] not in KEDA:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_runs_a_command_of_overread_with_its_settings_and_no_rights(overlay) -> None:
    known = set(re.findall(r"`(OVERREAD_[A-Z0-9_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    (settings,) = (each["data"] for each in rendered(overlay) if each["kind"] == "ConfigMap")
    assert set(settings) - known == set()
    assert len(pods(overlay)) == 5
    for pod in pods(overlay):
        (container,) = pod["containers"]
        assert parsed(container["args"])
        assert container["image"].startswith("overread:")
        assert {each["name"] for each in container["env"] if "OVERREAD" in each["name"]} - known == set()
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        # A volume belongs to root; the folder of the data has to be of the service's own user.
        (data,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "data")
        assert settings["OVERREAD_FOLDER"].startswith(f"{data}/")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_port_that_is_served_may_be_reached_and_no_other(overlay) -> None:
    served = {
        (manifest["metadata"]["name"], port["containerPort"])
        for manifest in rendered(overlay)
        if manifest["kind"] == "Deployment"
        for port in spec(manifest)["template"]["spec"]["containers"][0].get("ports", ())
    }
    allowed = {
        (manifest["metadata"]["name"], port["port"])
        for manifest in rendered(overlay)
        if manifest["kind"] == "NetworkPolicy"
        for rule in spec(manifest).get("ingress", ())
        for port in rule["ports"]
    }

    assert served
    assert allowed == served


def test_a_gpu_overlay_asks_for_a_gpu_for_its_workers_alone() -> None:
    limits = {
        pod["containers"][0]["name"]: pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for pod in pods("gpu")
    }

    assert limits == {"api": None, "dicom": None, "hl7": None, "migration": None, "worker": 1}
