"""Mapping of the codes of Open-I to findings of the vocabulary: the protocol, apart from any reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Code = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One finding as the coders name it and as a reader names it."""

    name: str
    coded: Callable[[Code], bool]  # whether a code states it
    findings: frozenset[str]  # ids of the vocabulary that count as stating it, narrower ones included


def _heads(*heads: str) -> Callable[[Code], bool]:
    wanted = frozenset(heads)
    return lambda code: code[0] in wanted


def _with(heads: Sequence[str], *qualifiers: str) -> Callable[[Code], bool]:
    wanted, any_of = frozenset(heads), frozenset(qualifiers)
    return lambda code: code[0] in wanted and not any_of.isdisjoint(code[1:])


def _either(*tests: Callable[[Code], bool]) -> Callable[[Code], bool]:
    return lambda code: any(test(code) for test in tests)


def _is_vertebral(code: Code) -> bool:
    return any("vertebrae" in word.lower() or word == "spine" for word in code[1:])


def _label(name: str, coded: Callable[[Code], bool], findings: str) -> Label:
    return Label(name=name, coded=coded, findings=frozenset(findings.split()))


_AORTA = ("Aorta", "Aorta, Thoracic")
_VERTEBRAE = ("Spine", "Thoracic Vertebrae", "Thoracic vertebrae", "Lumbar Vertebrae", "Cervical Vertebrae")

LABELS = (
    _label(
        "cardiomegaly",
        _either(_heads("Cardiomegaly"), _with(["Cardiac Shadow"], "enlarged", "borderline")),
        "cardiomegaly",
    ),
    _label("atelectasis", _heads("Pulmonary Atelectasis"), "atelectasis lobar_collapse"),
    _label(
        "effusion",
        _heads("Pleural Effusion", "Hydropneumothorax", "Hemothorax"),
        "effusion hydropneumothorax hemothorax empyema",
    ),
    _label(
        "pneumothorax",
        _heads("Pneumothorax", "Hydropneumothorax"),
        "pneumothorax tension_pneumothorax hydropneumothorax",
    ),
    _label(
        "opacity",
        _either(
            _heads("Opacity", "Infiltrate", "Airspace Disease", "Consolidation"),
            _with(["Density"], "lung", "thorax", "retrocardiac"),
        ),
        "opacity consolidation interstitial_opacity ground_glass_opacity",
    ),
    _label("consolidation", _heads("Airspace Disease", "Consolidation"), "consolidation"),
    _label("pneumonia", _heads("Pneumonia"), "pneumonia aspiration"),
    _label("edema", _heads("Pulmonary Edema"), "edema"),
    _label("congestion", _heads("Pulmonary Congestion"), "vascular_congestion"),
    _label("nodule", _heads("Nodule"), "nodule multiple_nodules"),
    _label("mass", _heads("Mass"), "mass pleural_mass mediastinal_mass"),
    _label("granuloma", _heads("Calcified Granuloma", "Granuloma"), "granuloma"),
    _label("granulomatous disease", _heads("Granulomatous Disease", "Sarcoidosis"), "granulomatous_disease"),
    _label("scar", _heads("Cicatrix"), "scar"),
    _label("emphysema", _heads("Emphysema", "Pulmonary Emphysema", "Bullous Emphysema"), "emphysema bulla"),
    _label(
        "hyperinflation",
        _either(_with(["Lung"], "hyperdistention"), _with(["Diaphragm"], "flattened")),
        "hyperinflation",
    ),
    _label("low lung volumes", _with(["Lung"], "hypoinflation"), "low_lung_volumes"),
    _label("pleural thickening", _with(["Thickening"], "pleura"), "pleural_thickening pleural_plaque"),
    _label("tortuous aorta", _with(_AORTA, "tortuous"), "aortic_tortuosity"),
    _label(
        "atherosclerosis",
        _either(
            _heads("Atherosclerosis"), _with(["Calcinosis"], "aorta", "aorta, thoracic", "blood vessels")
        ),
        "aortic_calcification",
    ),
    _label("hiatal hernia", _heads("Hernia, Hiatal", "Hernia, Diaphragmatic"), "hernia"),
    _label(
        "degenerative change",
        _either(
            _with(_VERTEBRAE, "degenerative"),
            _heads("Spondylosis", "Osteophyte", "Arthritis", "Hyperostosis, Diffuse Idiopathic Skeletal"),
        ),
        "degenerative_change",
    ),
    _label("scoliosis", _heads("Scoliosis"), "scoliosis"),
    # The coders call most compression fractures a deformity of the vertebra.
    _label(
        "fracture",
        _either(_heads("Fractures, Bone"), lambda code: code[0] == "Deformity" and _is_vertebral(code)),
        "fracture rib_fracture vertebral_fracture",
    ),
)
"""The 24 findings of the headline figure."""

MORE_LABELS = (
    _label("kyphosis", _heads("Kyphosis"), "kyphosis"),
    _label("osteopenia", _heads("Bone Diseases, Metabolic", "Osteoporosis"), "osteopenia"),
    _label(
        "raised diaphragm",
        _either(_with(["Diaphragm"], "elevated"), _heads("Diaphragmatic Eventration")),
        "diaphragm_elevation",
    ),
    _label("blunted angle", _with(["Costophrenic Angle", "Sulcus"], "blunted"), "costophrenic_blunting"),
    _label("calcified node", _with(["Calcinosis"], "lymph nodes"), "calcified_lymph_node"),
    _label("COPD", _heads("Pulmonary Disease, Chronic Obstructive"), "copd"),
    _label("catheter", _heads("Catheters, Indwelling"), "central_venous_catheter"),
    _label("subcutaneous emphysema", _heads("Subcutaneous Emphysema"), "subcutaneous_emphysema"),
    _label("foreign body", _heads("Foreign Bodies"), "foreign_body"),
    _label(
        "hypertension of the lung",
        _either(_heads("Hypertension, Pulmonary"), _with(["Pulmonary Artery"], "enlarged", "prominent")),
        "pulmonary_hypertension",
    ),
)
"""Ten more that the coders use often enough or that matter; reported apart."""
