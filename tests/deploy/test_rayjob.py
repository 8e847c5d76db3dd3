"""The RayJob of an audit: its pods follow Kubernetes' schema and grant little, and its command is one."""

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.commands import parsed

ROOT = Path(__file__).parents[2]
JOB, POLICY = yaml.safe_load_all((ROOT / "deploy/kubernetes/audit/rayjob.yaml").read_text())
CLUSTER = JOB["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]


def pod(group: dict[str, Any]) -> dict[str, Any]:
    """Return the pod that KubeRay makes of a group, before it adds what starts Ray."""
    template = group["template"]
    metadata = {"name": "audit", **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.mark.parametrize("manifest", [*map(pod, GROUPS), POLICY])
def test_pods_and_policy_follow_their_schemas(manifest) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_job_has_the_fields_that_the_types_of_kuberay_name() -> None:
    """Of ray-operator/apis/ray/v1, version 1.4: the schema that is made of them is in no package."""
    assert JOB["apiVersion"] == "ray.io/v1"
    assert JOB["spec"].keys() <= {
        "backoffLimit",
        "entrypoint",
        "rayClusterSpec",
        "shutdownAfterJobFinishes",
        "submissionMode",
        "ttlSecondsAfterFinished",
    }
    assert CLUSTER.keys() == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
    head, reader = GROUPS
    assert head.keys() == {"rayStartParams", "template"}
    assert reader.keys() == {
        "groupName",
        "replicas",
        "minReplicas",
        "maxReplicas",
        "rayStartParams",
        "template",
    }
    assert all(isinstance(value, str) for group in GROUPS for value in group["rayStartParams"].values())


def test_the_command_is_one_and_only_the_head_writes_what_it_names() -> None:
    words = shlex.split(JOB["spec"]["entrypoint"])
    assert words[0] == "overread"
    arguments = parsed(words[1:])
    assert arguments.ray == "auto"

    for group in GROUPS:
        (container,) = group["template"]["spec"]["containers"]
        read_only = {each["mountPath"]: each.get("readOnly", False) for each in container["volumeMounts"]}
        assert read_only[str(arguments.cohort.parent)] is True
        assert (str(arguments.out.parent) in read_only) is (group is GROUPS[0])


def test_no_pod_has_rights_or_tells_ray_of_its_use() -> None:
    for group in GROUPS:
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]


def test_the_release_of_ray_is_the_one_that_was_tested() -> None:
    (pinned,) = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)

    assert CLUSTER["rayVersion"] == pinned
