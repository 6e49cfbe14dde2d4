"""STARSClassifier: an encoder and a trained head, with names for what it says.

Reference: STARS (arXiv 2407.10935) section 4.3; MAMP (arXiv 2308.07092) section 4.3.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import nn

from stars_hub import checkpoints
from stars_hub.classifiers.base import SequenceClassifier
from stars_hub.classifiers.examples import collect
from stars_hub.classifiers.fitting import Fit, FitReport, Mode, fit_classification
from stars_hub.classifiers.validation import Validation
from stars_hub.errors import ConfigError
from stars_hub.model.encoder import STARSEncoder
from stars_hub.model.loading import as_device
from stars_hub.model.preparation import Preparation
from stars_hub.model.sources import Sequences, layout_of
from stars_hub.objectives import Classification
from stars_hub.objectives.classification import Head
from stars_hub.skeletons.layouts import SkeletonLayout


class STARSClassifier(SequenceClassifier):
    """Names what is done in recordings, after training on labelled ones: a few dozen, or thousands.

    It is saved as one model folder: the encoder, the head and the names of the classes. `stars-hub finetune`
    leaves such folders too.

    Args:
        encoder: an encoder, or the name of one as for `STARSEncoder.from_pretrained`.
        label_names: the classes, where their order or number is not to come from the recordings; they get an
            untrained head.

    Attributes:
        objective: encoder and head as `training` knows them; None before there are classes.
        report: how the last `fit` went; None before.

    >>> from stars_hub import EncoderConfig
    >>> from stars_hub.skeletons.synthetic import synthetic_dataset
    >>> encoder = STARSEncoder(EncoderConfig(num_frames=16, embed_dim=16, depth=1, num_heads=2))
    >>> clips = synthetic_dataset(4, actions=["walking", "waving"])
    >>> classifier = STARSClassifier(encoder).fit(clips, [clip.columns["action"] for clip in clips])
    >>> classifier.label_names, classifier.predict_proba(clips).shape
    (['walking', 'waving'], (8, 2))
    """

    kind = "classification"

    def __init__(
        self, encoder: STARSEncoder | str | Path, *, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(encoder)
        self.objective: Classification | None = None
        self.report: FitReport | None = None
        self._wanted_names: list[str] | None = None
        if label_names is not None:
            self.reset_classifier(label_names)

    @property
    def label_names(self) -> list[str]:
        """The names of the classes, in the order of `predict_proba`'s columns."""
        return [] if self.objective is None else list(self.objective.label_names)

    def reset_classifier(self, label_names: Sequence[str], *, head: Head = "linear", **settings: Any) -> None:
        """Put a new, untrained head on the encoder, for these classes; `fit` then keeps to them.

        Args:
            label_names: two or more.
            head: "linear", or "joints" for that of the paper's fine-tuning.
            settings: of the head, see `Classification`.

        Raises:
            ConfigError: classes or settings that cannot be.
        """
        self.objective = Classification(self.encoder, label_names=label_names, head=head, **settings).eval()
        self._wanted_names, self.report = self.objective.label_names, None

    def fit(
        self,
        sequences: Sequences,
        labels: Iterable[Any] | None = None,
        *,
        subjects: Iterable[Any] | None = None,
        mode: Mode = "auto",
        layout: str | SkeletonLayout | None = None,
        units: str = "m",
        up_axis: str | None = None,
        validation: Validation = None,
        epochs: int | None = None,
        class_weights: str = "none",
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        output: str | Path | None = None,
    ) -> "STARSClassifier":
        """Learn classes from labelled recordings.

        What is trained, by `mode`:

        - "linear": one layer on the frozen encoder's features. Seconds beyond encoding once.
        - "partial": the upper half of the blocks and the head that keeps joints apart.
        - "full": all blocks and that head.
        - "auto": "linear" below 100 recordings to train on, "partial" below 150, then "full".

        These limits rest on one comparison, with a `stars-mini` that was trained for a shorter time, on
        UTD-MHAD's 27 actions, odd subjects to learn from, one of them kept out, and even ones to ask about;
        accuracy in percent by number of recordings:

        | recordings            | 54 | 108 | 216 | 431 |
        |-----------------------|----|-----|-----|-----|
        | "linear"              | 59 |  60 |  67 |  70 |
        | "partial"             | 48 |  61 |  75 |     |
        | "full"                | 41 |     |  79 |  85 |
        | `PrototypeClassifier` | 63 |  68 |  70 |  77 |

        "full" takes twice as long as "partial"; both take minutes, "linear" seconds. Name the mode and
        compare `report.accuracy` where it matters.

        Training sees exactly what `predict` will see: the recordings are prepared as for `encode` and written
        to a temporary folder first. Some are kept out of training: whole subjects where three or more are
        known, else a part of each class. They give `report.accuracy` and choose the best epoch; "linear"
        takes the last, and then is trained anew on all recordings.

        Args:
            sequences: as for `STARSEncoder.encode`.
            labels: one a recording, names or whole numbers; None: those that the recordings bring along, as a
                store and a folder with labels.csv do. Whole numbers count the `label_names` of the store, or
                those of the classifier; where there are none, or they are numbers too, they become names
                themselves. The classes come in the order of the names that are counted, else sorted.
            subjects: who is recorded, one a recording; None: what the recordings bring along.
            mode: see above.
            layout: joint layout of the recordings; None: that of the store, else the encoder's.
            units: of the coordinates: "m", "cm", "mm" or "pixels".
            up_axis: axis of the recordings that points up; None: that of their layout.
            validation: the part kept out of training, such as 0.2; 0: none; or a list of subjects.
            epochs: passes over the recordings; None: 100 of "linear", else those of the recipe "small-data".
            class_weights: "balanced" lets every class count the same, however many recordings it has.
            seed: of everything random.
            device: moves the encoder there first; None: where it is.
            progress: show progress; False: print nothing at all.
            output: new folder for the run and its models; None: a temporary one. The model is in its folder
                best, or last after "linear" and where nothing was kept out of training. The recordings that
                its config.json names were temporary: such a run is not resumed.

        Returns:
            The classifier itself. If anything fails, it is as it was.

        Raises:
            ConfigError: labels, subjects or settings that cannot be; fewer than two classes.
            SequenceError: a recording with an impossible shape or values, or one that shows nobody.
            LayoutError: an unknown layout, or another number of joints than it has.
            NotFiniteError: training came to numbers that are NaN or infinite.
        """
        if device is not None:
            self.encoder.to(as_device(device))
        named = not all(name.isdecimal() for name in self.label_names)
        examples = collect(
            sequences,
            labels,
            subjects=subjects,
            label_names=self._wanted_names,
            numbered=self.label_names if named else None,
        )
        source = layout if layout is not None else layout_of(examples.sequences)
        preparation = Preparation(self.encoder.config, self.encoder.layout, source, units, up_axis)
        how = Fit(mode, validation, epochs, class_weights, seed, progress, output)
        with TemporaryDirectory(prefix="stars-hub-") as scratch:
            objective, report = fit_classification(self.encoder, examples, preparation, how, Path(scratch))
        self.objective, self.report = objective.eval(), report
        self.encoder = cast(STARSEncoder, objective.encoder)
        return self

    def _history(self) -> str:
        return "" if self.report is None else str(self.report)

    def _write(self, folder: str | Path, card: "str | checkpoints.ModelCard") -> Path:
        return self._ready().save_pretrained(folder, card=card)

    @classmethod
    def _from_folder(cls, folder: Path) -> "STARSClassifier":
        objective = Classification.from_pretrained(folder).eval()
        classifier = cls(cast(STARSEncoder, objective.encoder))
        classifier.objective = objective
        return classifier

    def _ready(self) -> Classification:
        if self.objective is None:
            raise ConfigError("the classifier has no classes yet: call fit(sequences, labels)")
        return self.objective

    def _scorer(self) -> nn.Module:
        weight = self.encoder.pos_embed
        return self._ready().to(device=weight.device, dtype=weight.dtype)
