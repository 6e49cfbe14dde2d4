"""The model card: README.md with the Hub's metadata in front, so that a model is found, loaded and cited."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BASE_TAGS = ("skeleton", "action-recognition", "self-supervised", "stars")
USE = (
    "Features of 3D skeleton recordings: for nearest-neighbour search, for a linear classifier, or as the "
    "start of fine-tuning."
)
LIMITS = (
    "The encoder saw skeletons of depth cameras, people indoors, one or two at a time. Other joint sets, "
    "estimated poses and other kinds of motion may give poor features: measure on data of your own first. "
    "Not for identifying people, nor for medical or safety decisions."
)


@dataclass(frozen=True)
class Result:
    """One measured number, as the Hub's model-index wants it.

    Args:
        protocol: how it was measured, e.g. "k-NN, k = 10".
        dataset: e.g. "NTU RGB+D 60 XSub".
        value: the number.
        metric: what the number is.
        split: the part of the dataset that was tested on.
        source: a URL where the number is told, if it was not measured with this file.
        spread: standard deviation over repetitions, which the protocol tells.
    """

    protocol: str
    dataset: str
    value: float
    metric: str = "accuracy"
    split: str | None = None
    source: str | None = None
    spread: float | None = None


@dataclass(frozen=True)
class ModelCard:
    """What a model card says; `render` gives its text.

    Args:
        name: the model's name, also the repository's if it is of the form owner/name.
        summary: one paragraph: whose weights, trained how, on what.
        license: the Hub's identifier, e.g. "mit"; None: the source of the weights states none.
        tags: besides those that every model of this package has.
        datasets: the Hub's or usual short names, e.g. "ntu60".
        results: for the table and the Hub's model-index.
        config: shown as a table.
        sections: further sections, title to text, which stand after the results; one with a usual title,
            such as "Intended use" or "Limits", takes the place of the usual text.
    """

    name: str
    summary: str = "An encoder of 3D skeleton recordings: a plain transformer over patches of motion."
    license: str | None = None
    tags: Sequence[str] = ()
    datasets: Sequence[str] = ()
    results: Sequence[Result] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> str:
        """Give the text of README.md: YAML front matter, then Markdown."""
        sections = {
            "How to load": self._loading(),
            "Intended use": USE,
            "Limits": LIMITS,
            "Results": _table(["protocol", "dataset", "split", "metric", "value"], self._result_rows()),
        }
        last = {
            "Configuration": _table(["setting", "value"], self._config_rows()),
            "License": self._license_text(),
        }
        sections |= {title: text for title, text in self.sections.items() if title not in last}
        sections |= last | {title: text for title, text in self.sections.items() if title in last}
        parts = [f"---\n{self._front_matter()}\n---", f"# {self.name}", self.summary.strip()]
        parts += [f"## {title}\n\n{text.strip()}" for title, text in sections.items() if text.strip()]
        return "\n\n".join(parts) + "\n"

    def _front_matter(self) -> str:
        from huggingface_hub import EvalResult, ModelCardData

        results = [
            EvalResult(
                task_type="skeleton-action-recognition",
                task_name="Skeleton-based action recognition",
                dataset_type=_slug(result.dataset),
                dataset_name=result.dataset,
                dataset_split=result.split,
                metric_type=_slug(result.metric),
                metric_name=f"{result.metric} ({result.protocol})",
                metric_value=result.value,
                source_name=result.source,
                source_url=result.source,
            )
            for result in self.results
        ]
        data = ModelCardData(
            library_name="stars-hub",
            license=self.license,
            pipeline_tag="feature-extraction",
            tags=list(dict.fromkeys([*BASE_TAGS, *self.tags])),
            datasets=list(self.datasets) or None,
            model_name=self.name if results else None,
            eval_results=results or None,
        )
        return str(data.to_yaml()).strip()

    def _loading(self) -> str:
        joints = self.config.get("num_joints", "V")
        width = self.config.get("embed_dim", "D")
        return _python(
            "from stars_hub import STARSEncoder",
            "",
            f'encoder = STARSEncoder.from_pretrained("{self.name}")',
            f"features = encoder.encode(sequences)  # arrays (T, {joints}, 3) in metres -> (N, {width})",
        )

    def _license_text(self) -> str:
        if self.license is None:
            return "The source of these weights states no license: ask their authors before you pass them on."
        return f"The weights: {self.license}."

    def _result_rows(self) -> list[list[str]]:
        return [[r.protocol, r.dataset, r.split or "", r.metric, _with_spread(r)] for r in self.results]

    def _config_rows(self) -> list[list[str]]:
        return [[f"`{key}`", _short(value)] for key, value in self.config.items()]


def classifier_card(
    name: str, *, config: Mapping[str, Any], class_name: str, what: str, label_names: Sequence[str]
) -> ModelCard:
    """A plain card of a classifier, which lists its classes.

    Args:
        name: the model's, as for `ModelCard`.
        config: the encoder's.
        class_name: what loads it.
        what: one sentence about how its classes were learned.
        label_names: the classes.
    """
    loading = _python(
        f"from stars_hub import {class_name}",
        "",
        f'classifier = {class_name}.from_pretrained("{name}")',
        f"labels = classifier.predict(sequences)  # arrays (T, {config['num_joints']}, 3), metres",
    )
    use = "Naming what is done in 3D skeleton recordings, among the classes below and no others."
    classes = "\n".join(f"{number}. {label}" for number, label in enumerate(label_names))
    return ModelCard(
        name,
        f"A classifier of 3D skeleton recordings into {len(label_names)} classes. {what}",
        config=config,
        tags=("classification",),
        sections={"How to load": loading, "Intended use": use, "Classes": classes},
    )


def _python(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _with_spread(result: Result) -> str:
    return f"{result.value:g}" + ("" if result.spread is None else f" ± {result.spread:g}")


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > 8:
        return f"{len(value)} entries"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_short(item)}" for key, item in value.items())
    return f"`{value}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
