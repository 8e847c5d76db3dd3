"""The card beside the guard's weights: what they were made from, and what they reached."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from models.guards import LEAST_BORDER
from training.guards.fitting import Settings
from training.guards.measuring import BorderEffect, Figure, describe

_CARD = """\
# Input guard: frontal chest radiograph

Judges the thumbnail of what a network would see: whether it is an upright frontal chest radiograph, which of
the seven other ways of turning and inverting would make it one, or none; and whether it looks mirrored. An
image is refused from a probability of {sure_of_other} of none on; a chest is turned or inverted from
{sure_of_turn} on that this is right; it is said to look mirrored from {sure_of_mirror} on. What was turned,
inverted or cut is read and says so in a remark.

Made by `python -m training.guards --data PATH` (torch {torch}) from NIH ChestX-ray14 (Wang et al., CVPR
2017): {adults} radiographs; Kermany et al. 2018 (CC BY 4.0), paediatric: {children}; as foreign images, CT,
MR, ultrasound, nuclear medicine, hand and other objects of the pydicom-data package, made pictures (noise,
slopes, phantoms, stripes, limbs, text) and spoilt chests (details, halves, shuffled pieces, noise with a
chest's spectrum). Settings:

```
{settings}
```

Intervals are Wilson's, 95 %, by image. "Good" are radiographs as published. A few of them really lie on their
head, are inverted or show half a chest; they count as errors here all the same.

## The weights in this folder, on the fifth of patients and objects that they did not learn from

The recipe and the probabilities above were settled while this fifth was looked at.

{released}

## The same recipe without another fifth, {folds} times: patients and objects that nobody had looked at

{pooled}

## Elsewhere: other children (the published test part), and pictures of a folder given with `--others`

{elsewhere}

## Borders

A uniform border of {least:.0%} of the area or more is cut away before anything is normalised. On {images} NIH
radiographs given a black or white border of 10 to 30 % on each side, the released network's scores changed by
{alone:.3f} on average if the border was left, by {cut:.3f} if it was cut.

## Limits

- No lateral chest radiograph was to be had: neither learnt from nor measured. The header tells them apart.
- Real foreign radiographs (hands, knees, abdomens, spines) are nearly absent from the data: one hand.
- A chest tilted by 15° to 75° is between two ways up; what happens to it was not measured.
- Whether a heart on the right is dextrocardia or a mirrored image cannot be seen: a remark, no correction.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of one run of the training."""

    settings: Settings
    learnt: tuple[int, int]  # radiographs of adults and of children
    released: Sequence[Figure]  # of the weights that were written, on what they did not learn from
    folds: int  # further ones
    pooled: Sequence[Figure]  # of the same recipe, over the further folds
    elsewhere: Sequence[Figure]  # of the weights that were written, on other material
    border: BorderEffect


def write_card(result: Result) -> str:
    """Return the card in Markdown."""
    settings = "\n".join(f"{name} = {value}" for name, value in asdict(result.settings).items())
    adults, children = result.learnt
    return _CARD.format(
        sure_of_other=result.settings.sure_of_other,
        sure_of_turn=result.settings.sure_of_turn,
        sure_of_mirror=result.settings.sure_of_mirror,
        torch=version("torch"),
        adults=adults,
        children=children,
        settings=settings,
        released=_table(result.released),
        folds=result.folds,
        pooled=_table(result.pooled),
        elsewhere=_table(result.elsewhere),
        least=LEAST_BORDER,
        images=result.border.images,
        alone=result.border.left_alone,
        cut=result.border.cut,
    )


def _table(figures: Sequence[Figure]) -> str:
    return "\n".join(["| images | what | share [95 % interval] |", "|---|---|---|", *describe(figures)])
