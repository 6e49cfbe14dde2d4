"""The cards of the weights trained on open recordings: credits, figures, commands, as the Hub reads them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard as HubCard

from stars_hub import EncoderConfig, STARSEncoder
from stars_hub.cli import main

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "open_data" / "cards.py"
ROW = {"protocol": "1-NN", "dataset": "UTD-MHAD", "split": "even subjects", "value": 12.5}
CONFIG = EncoderConfig(num_frames=8, embed_dim=16, depth=1, num_heads=2)


@pytest.fixture(scope="module")
def cards() -> ModuleType:
    spec = importlib.util.spec_from_file_location("open_data_cards", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def provenance() -> dict[str, Any]:
    return {
        "config": CONFIG.to_dict(),
        "datasets": {"ui-prmd": "7 recordings of 2 people", "irds": "3 recordings of 1 person"},
        "commands": ["python prepare.py", "stars-hub pretrain --data store"],
        "environment": {"torch": "2.13.0", "threads": 2},
    }


def test_the_card_credits_what_was_used_and_nothing_else(
    cards: ModuleType, provenance: dict[str, Any]
) -> None:
    text = cards.write_card("stars", [ROW | {"spread": 1.5}], provenance).render()
    data = HubCard(text).data
    assert data.license == "mit"
    assert data.datasets == ["ui-prmd", "irds"]
    assert data.model_name == "stars-mini"
    assert [(r.dataset_name, r.metric_value) for r in data.eval_results] == [("UTD-MHAD", 12.5)]
    assert "| 1-NN | UTD-MHAD | even subjects | accuracy | 12.5 ± 1.5 |" in text
    for expected in (
        "- **UI-PRMD**, 7 recordings of 2 people: ten rehabilitation exercises",
        "Data 3(1):2, 2018. Terms: public domain ([Open Data Commons",
        "Data 6(5):46, 2021. Terms: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)",
        "python prepare.py\nstars-hub pretrain --data store",
        "torch 2.13.0, threads 2",
        "UI-PRMD (7 recordings of 2 people) and IntelliRehabDS (3 recordings of 1 person)",
    ):
        assert expected in text
    assert "Chen, Jafari" not in text
    assert text.count("## License") == text.count("## Limits") == text.count("## Intended use") == 1


@pytest.mark.parametrize("stage", ["mamp", "stars"])
def test_the_commands_in_the_text_exist(cards: ModuleType, provenance: dict[str, Any], stage: str) -> None:
    text = cards.write_card(stage, [ROW], provenance).render()
    named = set(re.findall(r"stars-hub (\w+)", text))
    assert "convert" in named
    assert named <= set(main.commands)


def test_a_model_with_the_card_can_be_pushed_without_remark(
    cards: ModuleType, provenance: dict[str, Any], tmp_path: Path
) -> None:
    card = cards.write_card("mamp", [ROW], provenance, name="owner/stars-mini-mamp")
    folder = STARSEncoder(CONFIG).save_pretrained(tmp_path / "model", card=card)
    result = CliRunner().invoke(main, ["push", str(folder), "owner/stars-mini-mamp", "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert "remark" not in result.output
    assert "license     mit" in result.output


def test_a_card_without_figures_or_with_unknown_data_is_not_written(
    cards: ModuleType, provenance: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="measured figures"):
        cards.write_card("stars", [], provenance)
    provenance["datasets"]["ntu60"] = "all of it"
    with pytest.raises(
        ValueError, match="the terms of ntu60 are not known: expected some of ui-prmd, utd-mhad"
    ):
        cards.write_card("stars", [ROW], provenance)
