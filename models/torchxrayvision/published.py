"""Published facts about TorchXRayVision's weights, and the meaning of its words in our vocabulary."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from overread.errors import ModelError

# Their word -> our finding. Where a set has both words for one finding, the first of the two counts.
FINDINGS: Mapping[str, str] = {
    "Atelectasis": "atelectasis",
    "Consolidation": "consolidation",
    "Pneumothorax": "pneumothorax",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Effusion": "effusion",
    "Pneumonia": "pneumonia",
    "Pleural_Thickening": "pleural_thickening",
    "Cardiomegaly": "cardiomegaly",
    "Nodule": "nodule",
    "Mass": "mass",
    "Hernia": "hernia",
    "Lung Lesion": "lung_lesion",
    "Fracture": "fracture",
    "Lung Opacity": "opacity",
    "Infiltration": "opacity",
    "Enlarged Cardiomediastinum": "mediastinal_widening",
}

_DENSENET = "densenet121-res224-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSet:
    """One set of weights."""

    name: str
    network: str  # densenet121 or resnet50
    data: str  # what it was trained on
    columns: Mapping[str, int]  # finding -> output of the network
    thresholds: Mapping[str, float]  # finding -> published operating point on the sigmoid
    url: str  # of the file with the weights
    sha256: str | None  # of that file; None where nobody is known to have noted it

    @property
    def library_name(self) -> str:
        """Name in the library."""
        return f"{_DENSENET}{self.name}" if self.network == "densenet121" else self.name


@cache
def load_sets() -> Mapping[str, PublishedSet]:
    """Return every published set by its short name."""
    content = tomllib.loads((files(__package__) / "published.toml").read_text(encoding="utf-8"))
    outputs: list[str] = content["outputs"]
    found = {}
    for name, table in content["sets"].items():
        words: dict[str, str] = {}
        for word, finding in FINDINGS.items():
            if word in table["thresholds"]:
                words.setdefault(finding, word)
        found[name] = PublishedSet(
            name=name,
            network=table["network"],
            data=table["data"],
            columns={finding: outputs.index(word) for finding, word in words.items()},
            thresholds={finding: table["thresholds"][word] for finding, word in words.items()},
            url=f"{content['source']}/{table['file']}",
            sha256=table.get("sha256"),
        )
    return found


def find_set(name: str) -> PublishedSet:
    """Return a set by its short name or by the library's, such as densenet121-res224-all.

    Raises:
        ModelError: there is no such set.
    """
    sets = load_sets()
    short = name.removeprefix(_DENSENET)
    if short not in sets:
        raise ModelError(
            f"TorchXRayVision has no set of weights {name!r} that is known here; it has {', '.join(sets)}"
        )
    return sets[short]
