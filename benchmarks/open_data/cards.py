"""Model cards of the weights trained on open recordings: `stars-mini-mamp` (stage 1), `stars-mini` (stage 2).

The figures are not here: they are read from what was measured and handed to `write_card`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stars_hub.checkpoints import ModelCard, Result

NAMES = {"mamp": "stars-mini-mamp", "stars": "stars-mini"}
PAPERS = {"mamp": ("2308.07092",), "stars": ("2407.10935", "2308.07092")}


@dataclass(frozen=True)
class OpenData:
    """A dataset that anyone may train on.

    Args:
        name: as its authors call it.
        content: what it records, and with what.
        citation: whom to credit.
        license: its terms, with a link where there is a text.
    """

    name: str
    content: str
    citation: str
    license: str


DATASETS = {
    "ui-prmd": OpenData(
        name="UI-PRMD",
        content="ten rehabilitation exercises, done right and wrong; Kinect v2, 22 joints",
        citation=(
            "Vakanski, Jun, Paul, Baker: A Data Set of Human Body Movements for Physical Rehabilitation"
            " Exercises. Data 3(1):2, 2018"
        ),
        license=(
            "public domain ([Open Data Commons Public Domain Dedication and License"
            " 1.0](https://opendatacommons.org/licenses/pddl/1-0/))"
        ),
    ),
    "utd-mhad": OpenData(
        name="UTD-MHAD",
        content="27 actions of everyday life and sport; Kinect v1, 20 joints",
        citation=(
            "Chen, Jafari, Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing"
            " a Depth Camera and a Wearable Inertial Sensor. ICIP 2015"
        ),
        license="called a public domain dataset by its authors",
    ),
    "irds": OpenData(
        name="IntelliRehabDS",
        content=(
            "nine rehabilitation gestures of healthy people and patients, standing and in wheelchairs;"
            " Kinect v2, 25 joints"
        ),
        citation=(
            "Miron, Sadawi, Ismail, Hussain, Grosan: IntelliRehabDS (IRDS), A Dataset of Physical"
            " Rehabilitation Movements. Data 6(5):46, 2021"
        ),
        license="[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), with the attribution given here",
    ),
}

STAGES = {
    "mamp": "masked motion prediction (MAMP, arXiv 2308.07092)",
    "stars": (
        "masked motion prediction (MAMP, arXiv 2308.07092), then tuned by nearest-neighbour contrast (STARS,"
        " arXiv 2407.10935)"
    ),
}

USE = {
    "mamp": (
        "The start of training on recordings of your own: `stars-hub tune`, `stars-hub finetune`. Its"
        " features are not tuned for nearest neighbours; those of `stars-mini` are."
    ),
    "stars": (
        "Features of one person's movements in front of a depth camera: to search by example, to classify"
        " from a few examples of each class, to start fine-tuning from, and to try the package without a"
        " download."
    ),
}

LIMITS = (
    "- It is small, and saw few people doing few things, one at a time, before a depth camera: "
    "{recordings}. It saw no interaction of two people. Recordings with other joints are converted; "
    "skeletons estimated from video may give poor features. Measure on data of your own first.\n"
    "- Where recordings start and end alike and people stand alike, the joints themselves can be better "
    'neighbours: see "no encoder" among the results.\n'
    "- Its figures are not those of the papers, whose encoder is larger and learned from tens of "
    "thousands of recordings.\n"
    "- It is not made to identify people, nor for medical or safety decisions. That much of its data "
    "shows rehabilitation does not make it a judge of how well an exercise was done."
)

NTU = """\
This project publishes no weights trained on NTU RGB+D. They come by converting the files that the papers'
authors publish:

```bash
stars-hub convert ntu60_xsub.pt stars-ntu60-xsub     # STARS, MIT licence
stars-hub convert checkpoint.pth mamp-ntu60-xsub     # MAMP, its repository states no licence
```"""


def write_card(
    stage: Literal["mamp", "stars"],
    metrics: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    *,
    name: str | None = None,
) -> ModelCard:
    """Write the card of a model that was trained on open recordings.

    Args:
        stage: what the weights went through.
        metrics: the measured figures, each a mapping with the fields of `Result`; `protocol` says in full
            how a figure was measured, such as "1-NN, cosine, odd subjects as bank".
        provenance: `config`, the encoder's; `datasets`, by the names of `DATASETS` what of each was trained
            on, such as "1,800 recordings of 9 people"; `commands`, the shell commands that repeat the
            training and the figures; `environment`, what they ran on.
        name: the repository on the Hub, owner/name; the bundled name if not given.

    Raises:
        ValueError: no figures, or a dataset whose terms are not known here.
    """
    used: Mapping[str, str] = provenance["datasets"]
    if unknown := [key for key in used if key not in DATASETS]:
        raise ValueError(
            f"the terms of {', '.join(unknown)} are not known: expected some of {', '.join(DATASETS)}"
        )
    if not used or not metrics:
        raise ValueError("a card names the data that the weights come from, and has measured figures")
    *most, last = (f"{DATASETS[key].name} ({what})" for key, what in used.items())
    recordings = f"{', '.join(most)} and {last}" if most else last
    return ModelCard(
        name=name or NAMES[stage],
        summary=(
            f"A small encoder of 3D skeleton recordings, pretrained by {STAGES[stage]}, on open"
            f" recordings: {recordings}."
        ),
        license="mit",
        tags=(*(f"arxiv:{paper}" for paper in PAPERS[stage]), "rehabilitation"),
        datasets=tuple(used),
        results=tuple(Result(**row) for row in metrics),
        config=provenance["config"],
        sections={
            "Intended use": USE[stage],
            "Limits": LIMITS.format(recordings=recordings),
            "Training data": _credits(used),
            "How to repeat it": _recipe(provenance),
            "Larger weights": NTU,
            "License": (
                "The weights: MIT. The recordings are not part of them and keep their own terms, given under"
                " Training data; whoever passes the weights on passes those credits on."
            ),
        },
    )


def _credits(used: Mapping[str, str]) -> str:
    lines = []
    for key, what in used.items():
        data = DATASETS[key]
        lines.append(f"- **{data.name}**, {what}: {data.content}. {data.citation}. Terms: {data.license}.")
    lines.append(
        "\nChanges: the joints were converted to the layout named under Configuration, and recordings were"
        " cut and resampled for training. The authors of the data do not endorse these weights."
    )
    return "\n".join(lines)


def _recipe(provenance: Mapping[str, Any]) -> str:
    commands = "\n".join(provenance["commands"])
    where = ", ".join(f"{key} {value}" for key, value in provenance["environment"].items())
    return f"```bash\n{commands}\n```\n\nMade and measured with: {where}."
