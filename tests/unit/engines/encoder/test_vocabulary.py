from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from beatingbert.engines.encoder.vocabulary import TrimmedEmbedding, restore, trim, whole_vocabulary
from beatingbert.engines.hush import hushed

USED = {0, 5, 6, 7, 40, 41}
BATCHES = [[[5, 6, 7, 0]], [[40, 5, 0, 0]], [[41, 41, 6, 5]], [[7, 5, 40, 6]]]


def load(folder: Path) -> Any:
    torch.manual_seed(3)
    with hushed():
        return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).eval()  # eval: no dropout


def train(model: Any, *, weight_decay: float = 0.1, epochs: int = 3) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=weight_decay)
    for _ in range(epochs):
        for ids in BATCHES:
            model(input_ids=torch.tensor(ids), labels=torch.tensor([1])).loss.backward()
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_training_ends_with_the_weights_of_the_whole_embedding(request: pytest.FixtureRequest, fixture: str) -> None:
    whole, trimmed = load(request.getfixturevalue(fixture)), load(request.getfixturevalue(fixture))
    before = whole.get_input_embeddings().weight.clone()
    trim(trimmed, USED)
    assert isinstance(trimmed.get_input_embeddings(), TrimmedEmbedding)
    train(whole)
    train(trimmed)
    restore(trimmed)
    unseen = [at for at in range(len(before)) if at not in USED]
    assert not torch.equal(whole.get_input_embeddings().weight[unseen], before[unseen])  # weight decay reaches them
    assert trimmed.state_dict().keys() == whole.state_dict().keys()
    for name, weights in whole.state_dict().items():
        torch.testing.assert_close(trimmed.state_dict()[name], weights, rtol=1e-5, atol=1e-6)


def test_what_is_saved_on_the_way_is_the_whole_model(tiny_bert: Path, tmp_path: Path) -> None:
    model = load(tiny_bert)
    rows = model.get_input_embeddings().num_embeddings
    trim(model, USED)
    train(model, epochs=1)
    with whole_vocabulary(model):
        model.save_pretrained(tmp_path)
    halfway = load(tmp_path)
    assert halfway.get_input_embeddings().num_embeddings == rows
    ids = torch.tensor(BATCHES[0])
    torch.testing.assert_close(halfway(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-6)
    train(model, epochs=1)  # goes on as if nothing had been saved
    assert not torch.allclose(halfway(ids).logits, model(ids).logits, rtol=1e-3, atol=1e-4)


def test_padding_stays_without_gradient(tiny_bert: Path) -> None:
    model = load(tiny_bert)
    padding = model.get_input_embeddings().padding_idx
    before = model.get_input_embeddings().weight[padding].clone()
    trim(model, USED | {padding})
    train(model, weight_decay=0.0)
    restore(model)
    assert torch.equal(model.get_input_embeddings().weight[padding], before)


def test_an_id_that_was_not_announced_is_an_error(tiny_bert: Path) -> None:
    model = load(tiny_bert)
    trim(model, USED)
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[5, 6, 50]]))


def test_a_vocabulary_in_full_use_or_shared_with_another_layer_is_left_alone(tiny_bert: Path) -> None:
    model = load(tiny_bert)
    trim(model, set(range(model.get_input_embeddings().num_embeddings)))
    assert type(model.get_input_embeddings()) is torch.nn.Embedding
    model.output = torch.nn.Linear(1, 1, bias=False)
    model.output.weight = model.get_input_embeddings().weight
    trim(model, USED)
    assert type(model.get_input_embeddings()) is torch.nn.Embedding
