"""Model cards: the Hub's own parser reads back what was said."""

import ast

import pytest
from huggingface_hub import ModelCard as HubCard

from stars_hub.checkpoints import ModelCard, Result

RESULTS = [
    Result("k-NN, k = 10", "NTU RGB+D 60 XSub", 81.5, split="test"),
    Result("linear probe", "NTU RGB+D 60 XSub", 87.1, split="test"),
    Result("1-shot", "NTU RGB+D 120", 42.0, source="https://arxiv.org/abs/2407.10935"),
]


def card(**settings: object) -> ModelCard:
    return ModelCard(name="owner/stars-ntu60", summary="Weights: of the authors.", **settings)  # type: ignore[arg-type]


def test_the_metadata() -> None:
    data = HubCard(card(license="mit", tags=["ntu", "stars"], datasets=["ntu60"]).render()).data
    assert data.library_name == "stars-hub"
    assert data.license == "mit"
    assert data.pipeline_tag == "feature-extraction"
    assert data.tags == ["skeleton", "action-recognition", "self-supervised", "stars", "ntu"]
    assert data.datasets == ["ntu60"]
    assert data.eval_results is None


def test_no_license_is_said_in_words() -> None:
    text = card().render()
    assert HubCard(text).data.license is None
    assert "license" not in text.split("---")[1]
    assert "The source of these weights states no license" in text
    assert "states no license" not in card(license="mit").render()


def test_results_survive_the_hubs_parser() -> None:
    data = HubCard(card(results=RESULTS).render()).data
    assert data.model_name == "owner/stars-ntu60"
    read = [
        (r.dataset_name, r.dataset_split, r.metric_type, r.metric_name, r.metric_value)
        for r in data.eval_results
    ]
    assert sorted(map(str, read)) == sorted(
        str((r.dataset, r.split, "accuracy", f"accuracy ({r.protocol})", r.value)) for r in RESULTS
    )
    assert [r.source_url for r in data.eval_results] == [None, None, "https://arxiv.org/abs/2407.10935"]
    assert "| linear probe | NTU RGB+D 60 XSub | test | accuracy | 87.1 |" in card(results=RESULTS).render()


def test_a_spread_stands_beside_its_value() -> None:
    text = card(results=[Result("5-shot, 10 draws", "UTD-MHAD", 61.5, spread=2.25)]).render()
    assert "| 5-shot, 10 draws | UTD-MHAD |  | accuracy | 61.5 ± 2.25 |" in text
    assert HubCard(text).data.eval_results[0].metric_value == 61.5


def test_loading_takes_three_statements() -> None:
    code = card(config={"num_joints": 25, "embed_dim": 256}).render().split("```")[1].removeprefix("python\n")
    assert len(ast.parse(code).body) == 3
    assert 'from_pretrained("owner/stars-ntu60")' in code
    assert "(T, 25, 3)" in code
    assert "(N, 256)" in code


def test_the_config_is_a_table() -> None:
    text = card(
        config={"depth": 8, "label_names": list("abcdefghij"), "a": "x|y", "objective": {"name": "mamp"}}
    ).render()
    assert "| `depth` | `8` |" in text
    assert "| `label_names` | 10 entries |" in text
    assert "| `a` | `x\\|y` |" in text
    assert "| `objective` | name=`mamp` |" in text


def test_sections_are_added_and_replaced() -> None:
    text = card(sections={"Training": "MAMP, 400 epochs.", "Limits": "None known."}).render()
    assert "## Training\n\nMAMP, 400 epochs." in text
    assert "## Limits\n\nNone known." in text
    assert "## Intended use" in text
    assert text.count("## Limits") == 1
    assert "## Results" not in text
    assert text.index("## Intended use") < text.index("## Training") < text.index("## License")
    assert text.rstrip().endswith("ask their authors before you pass them on.")
    assert card(license="mit", sections={"License": "MIT."}).render().endswith("## License\n\nMIT.\n")


@pytest.mark.parametrize("name", ["plain", "a: b", "it's", '"quoted"', "#hash", "ünïcode"])
def test_awkward_names_do_not_break_the_metadata(name: str) -> None:
    data = HubCard(ModelCard(name=name, summary="---\nx: y\n---", results=RESULTS).render()).data
    assert data.model_name == name
    assert data.library_name == "stars-hub"
