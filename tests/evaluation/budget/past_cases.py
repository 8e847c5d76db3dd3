"""Past cases as `overread rank` writes them, small enough to follow by hand."""

from pathlib import Path

from overread.finding import load_vocabulary

VOCABULARY = load_vocabulary()

ROWS = """case,finding,kind,probability,priority,joint_of
a,pneumothorax,POSSIBLE_MISS,0.8,80,
a,opacity,POSSIBLE_MISS,0.1,2,
a,lung_lesion,POSSIBLE_MISS,0.1,2,mass|nodule
b,opacity,POSSIBLE_MISS,0.9,18,
c,opacity,POSSIBLE_MISS,0.5,10,
d,pneumothorax,POSSIBLE_MISS,0.05,5,
e,opacity,POSSIBLE_OVERCALL,0.3,6,
"""
DATES = "case,date\na,2026-11-02\nb,2026-11-02\nc,2026-11-02\nd,2026-11-03\ne,2026-11-05\nquiet,2026-11-06\n"
ADJUDICATED = """\
{"case":"a","patient":"p","adjudications":[{"finding":"pneumothorax","kind":"POSSIBLE_MISS","confirmed":true}]}
{"case":"b","patient":"q","adjudications":[{"finding":"opacity","kind":"POSSIBLE_MISS","confirmed":true}]}
{"case":"c","patient":"r","adjudications":[{"finding":"opacity","kind":"POSSIBLE_MISS","confirmed":false}]}
{"case":"d","patient":"s","adjudications":[{"finding":"pneumothorax","kind":"POSSIBLE_MISS","confirmed":true}]}
{"case":"elsewhere","patient":"t","adjudications":[{"finding":"opacity","kind":"POSSIBLE_MISS","confirmed":true}]}
"""


def write(folder: Path, **texts: str) -> dict[str, Path]:
    """Write the files, changed where a text is given, and return their paths by name."""
    suffixes = {"rows": ".csv", "dates": ".csv", "adjudicated": ".jsonl"}
    whole = {"rows": ROWS, "dates": DATES, "adjudicated": ADJUDICATED} | texts
    paths = {name: folder / f"{name}{suffix}" for name, suffix in suffixes.items()}
    for name, path in paths.items():
        path.write_text(whole[name], encoding="utf-8")
    return paths
