"""Weights of a product's statements: claims to observations, as the manifest says and not beyond."""

from collections.abc import Sequence

from models.vendor_results.claim import Claim, Results, merge
from models.vendor_results.manifest import VendorManifest, Worth
from overread.observation import Detection, DetectorObservation, ObserverIdentity, Presence


def detection_of(results: Results, manifest: VendorManifest, images: Sequence[str]) -> Detection:
    """Return what the product states of a study as one detection.

    Args:
        results: what was read.
        manifest: what it is worth.
        images: SOP Instance UIDs of the study's images. A statement that refers to none of them is shown on
            the first.
    """
    detector = ObserverIdentity(name=manifest.name, version=manifest.version, sha256=manifest.sha256)
    if results.failure is not None:
        reason = "; ".join((results.failure, *results.remarks))
        return Detection(detector=detector, operating_point=manifest.operating_point, not_applicable=reason)
    remarks = list(results.remarks)
    observations = []
    for finding, worth in manifest.worth.items():
        claims = [claim for claim in results.claims if claim.finding == finding]
        if not claims and not _silence_denies(manifest, results):
            continue
        claim = merge(claims) if claims else Claim(finding=finding, presence=Presence.ABSENT)
        observation = _observation(claim, worth, images)
        if observation is not None:
            observations.append(observation)
        elif claims:
            remarks.append(_unusable(claim))
    return Detection(
        detector=detector,
        operating_point=manifest.operating_point,
        observations=tuple(observations),
        remarks=(*remarks, *_without_worth(results, manifest)),
    )


def _silence_denies(manifest: VendorManifest, results: Results) -> bool:
    return manifest.silence == "absent" and results.complete


def _observation(claim: Claim, worth: Worth, images: Sequence[str]) -> DetectorObservation | None:
    """Return what a statement supports; None where the manifest does not say what it is worth."""
    if worth.curve is not None and claim.score is not None:
        curve = worth.curve
        probability = curve.calibration.probability(claim.score)
        presence = Presence.PRESENT if probability >= curve.threshold else Presence.ABSENT
        prevalence = curve.calibration.prevalence
    elif worth.stated is not None and claim.presence in {Presence.PRESENT, Presence.ABSENT}:
        presence = Presence(claim.presence)
        probability = worth.stated.probability(present=presence is Presence.PRESENT)
        prevalence = worth.stated.prevalence
    else:
        return None
    present = presence is Presence.PRESENT
    shown = [image for image in claim.images if image in images] or list(images) or [""]
    return DetectorObservation(
        finding=claim.finding,
        presence=presence,
        laterality=claim.laterality,
        score=claim.score if claim.score is not None else float(present),
        probability=probability,
        prevalence=prevalence,
        sop_instance_uid=shown[0],
        regions=claim.regions if present else (),
        size_mm=claim.size_mm if present else (),
    )


def _unusable(claim: Claim) -> str:
    name = claim.finding.replace("_", " ")
    if claim.presence is Presence.UNCERTAIN:
        return f"the product leaves {name} open, which is no evidence"
    if claim.presence is None:
        return f"the product gives a score for {name}; the manifest does not calibrate it"
    return f"the product states {name} without a score; the manifest does not say what that is worth"


def _without_worth(results: Results, manifest: VendorManifest) -> list[str]:
    others = dict.fromkeys(claim.finding for claim in results.claims if claim.finding not in manifest.worth)
    return [
        f"the product states {name.replace('_', ' ')}; the manifest does not say what that is worth"
        for name in others
    ]
