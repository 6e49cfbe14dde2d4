"""What `import stars_hub` promises; a change here is a change for every user."""

import subprocess
import sys

import stars_hub

PUBLIC = {
    "EncoderConfig",
    "MAMP",
    "NNCLR",
    "FinetuneConfig",
    "PretrainConfig",
    "TuneConfig",
    "finetune",
    "pretrain",
    "tune",
    "PrototypeClassifier",
    "STARSClassifier",
    "STARSEncoder",
    "SkeletonLayout",
    "SkeletonStore",
    "__version__",
    "convert_checkpoint",
    "convert_layout",
    "get_layout",
    "layout_names",
    "few_shot",
    "knn_classify",
    "linear_probe",
    "list_models",
    "read_sequence",
    "read_sequences",
    "register_layout",
}


def test_public_names() -> None:
    assert set(stars_hub.__all__) == PUBLIC
    assert set(stars_hub.__all__) <= set(dir(stars_hub))
    for name in PUBLIC:
        assert getattr(stars_hub, name) is not None


def test_import_leaves_heavy_packages_alone() -> None:
    code = "import sys, stars_hub; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    for package in ("matplotlib", "sklearn", "scipy", "click", "pandas"):
        assert package not in loaded
