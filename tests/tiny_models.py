"""Real models of a few thousand weights, made offline: seeded random weights and a tokenizer trained on a few lines.

Each builder fills a folder as `save_pretrained` would and returns it. The weights are drawn wider than usual, so that
different inputs give clearly different outputs.
"""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2Tokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForPreTraining,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    MPNetTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizer,
)

from beatingbert.engines.hush import hushed

HIDDEN = 32
LAYERS = 2
SPREAD = 0.2  # standard deviation of the random weights
WINDOW = 256

LINES = (
    "Classify the sentiment of the movie review.",
    "Review: a good and moving film\nSentiment: positive",
    "Review: a bad and boring film\nSentiment: negative",
    "Decide whether the hypothesis follows from the premise (yes), contradicts it (no), or neither (maybe).",
    "Premise: The cat sat on the mat.\nHypothesis: An animal sat.\nAnswer: yes",
    "Read the passage and answer the question with yes or no.",
    "Passage: Water boils at 100 degrees.\nQuestion: does water boil?\nAnswer: no",
    "positive negative yes no maybe not good bad film great awful plain story actor",
)

# ChatML, as Qwen speaks it, without the default system prompt.
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# Gemma's manner: the template writes the beginning-of-sequence token itself, although the tokenizer adds it too.
TURNS_AFTER_BOS = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] "
    "+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def build_bert(folder: Path) -> Path:
    """An encoder with token types."""
    tokenizer = _wordpiece()
    config = BertConfig(**_encoder_sizes(tokenizer), type_vocab_size=2)
    return _save(folder, BertForMaskedLM, config, tokenizer)


def build_distilbert(folder: Path) -> Path:
    """An encoder without token types, though its tokenizer could give them."""
    tokenizer = _wordpiece()
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=HIDDEN,
        hidden_dim=2 * HIDDEN,
        n_layers=LAYERS,
        n_heads=2,
        max_position_embeddings=64,
        initializer_range=SPREAD,
    )
    return _save(folder, DistilBertForMaskedLM, config, tokenizer)


def build_minilm(folder: Path) -> Path:
    """A sentence encoder of BERT's architecture: a bare one, without any head."""
    tokenizer = _wordpiece()
    return _save(folder, BertModel, BertConfig(**_encoder_sizes(tokenizer), type_vocab_size=2), tokenizer)


def build_electra(folder: Path) -> Path:
    """A discriminator, whose embeddings are narrower than its layers."""
    tokenizer = _wordpiece()
    config = ElectraConfig(**_encoder_sizes(tokenizer), embedding_size=HIDDEN // 2, type_vocab_size=2)
    return _save(folder, ElectraForPreTraining, config, tokenizer)


def build_mpnet(folder: Path) -> Path:
    """An encoder that counts positions from 2 and has relative ones besides; WordPiece between <s> and </s>."""
    tokenizer = MPNetTokenizer(vocab=_words("<s>", "<pad>", "</s>", "<unk>", "<mask>", "[UNK]"), model_max_length=64)
    sizes = _encoder_sizes(tokenizer) | {"max_position_embeddings": 66}
    config = MPNetConfig(**sizes, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    return _save(folder, MPNetForMaskedLM, config, tokenizer)


def build_roberta(folder: Path) -> Path:
    """An encoder that counts positions from 2; byte-level BPE, one token type."""
    tokenizer = RobertaTokenizer(**_byte_pairs("<s>", "<pad>", "</s>", "<unk>", "<mask>"), model_max_length=64)
    sizes = _encoder_sizes(tokenizer) | {"max_position_embeddings": 66}
    config = RobertaConfig(**sizes, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    return _save(folder, RobertaForMaskedLM, config, tokenizer)


def build_deberta(folder: Path) -> Path:
    """DeBERTa v3: disentangled attention, no absolute positions, no token types; Unigram as SentencePiece trains it."""
    special = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        LINES,
        trainers.UnigramTrainer(
            vocab_size=200,
            special_tokens=list(special),
            unk_token="[UNK]",
            show_progress=False,
            initial_alphabet=list(string.ascii_letters + string.digits),
        ),
    )
    pieces = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    tokenizer = DebertaV2Tokenizer(vocab=[*pieces, ("[MASK]", 0.0)], unk_id=3, model_max_length=64)
    config = DebertaV2Config(
        **_encoder_sizes(tokenizer),
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=16,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
        pooler_hidden_size=HIDDEN,
    )
    return _save(folder, DebertaV2ForMaskedLM, config, tokenizer)


def build_modernbert(folder: Path) -> Path:
    """Rotary positions, local and global attention in turn, no biases; byte-level BPE."""
    special = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
    tokenizer = _byte_level_bpe(*special)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.unk_token, tokenizer.cls_token, tokenizer.sep_token, tokenizer.pad_token, tokenizer.mask_token = special
    tokenizer.model_max_length = 64
    config = ModernBertConfig(
        **_encoder_sizes(tokenizer),
        local_attention=16,
        global_attn_every_n_layers=2,
        pad_token_id=3,
        cls_token_id=1,
        sep_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return _save(folder, ModernBertForMaskedLM, config, tokenizer)


def build_llama(folder: Path, *, window: int = WINDOW) -> Path:
    """A causal model without any beginning-of-sequence token."""
    tokenizer = _byte_level_bpe("</s>")
    tokenizer.eos_token = "</s>"
    sizes = _decoder_sizes(tokenizer) | {"max_position_embeddings": window}
    return _save(folder, LlamaForCausalLM, LlamaConfig(**sizes), tokenizer)


def build_gemma(folder: Path, *, adds_bos: bool = True, chat: bool = False) -> Path:
    """A causal model that is lost without its beginning-of-sequence token.

    Args:
        folder: to fill.
        adds_bos: whether the tokenizer puts the token before every text, or has forgotten to.
        chat: whether there is a chat template, which writes the token as well.
    """
    tokenizer = _byte_level_bpe(
        "<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", bos="<bos>" if adds_bos else None
    )
    tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token = "<bos>", "<eos>", "<pad>"
    if chat:
        tokenizer.chat_template = TURNS_AFTER_BOS
    config = Gemma3TextConfig(
        **_decoder_sizes(tokenizer), head_dim=16, sliding_window=16, layer_types=["sliding_attention", "full_attention"]
    )
    config.pad_token_id = tokenizer.pad_token_id
    return _save(folder, Gemma3ForCausalLM, config, tokenizer)


def build_qwen(folder: Path, *, window: int = WINDOW) -> Path:
    """A causal chat model whose tokenizer adds nothing."""
    tokenizer = _byte_level_bpe("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.chat_template = CHATML
    sizes = _decoder_sizes(tokenizer) | {"max_position_embeddings": window}
    return _save(folder, Qwen2ForCausalLM, Qwen2Config(**sizes), tokenizer)


def build_gpt2(folder: Path) -> Path:
    """A causal model with learned positions, which padding must not shift."""
    tokenizer = _byte_level_bpe("<|endoftext|>")
    tokenizer.eos_token = "<|endoftext|>"
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=HIDDEN,
        n_layer=LAYERS,
        n_head=2,
        n_positions=WINDOW,
        initializer_range=SPREAD,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _save(folder, GPT2LMHeadModel, config, tokenizer)


def _encoder_sizes(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": SPREAD,
    }


def _decoder_sizes(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": WINDOW,
        "initializer_range": SPREAD,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _wordpiece() -> PreTrainedTokenizerFast:
    """Every word of the lines and every letter; listed, not trained, because that trainer breaks ties by chance."""
    vocabulary = _words("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )


def _words(*special: str) -> dict[str, int]:
    """The special tokens, then every word of the lines and every letter."""
    words = sorted(set(re.findall(r"\w+|[^\w\s]", " ".join(LINES).lower())))
    letters = [prefix + letter for prefix in ("", "##") for letter in string.ascii_lowercase + string.digits]
    return {token: number for number, token in enumerate(dict.fromkeys([*special, *words, *letters]))}


def _byte_pairs(*special: str) -> dict[str, Any]:
    """Vocabulary and merges of a byte-level BPE."""
    model = json.loads(_byte_level_bpe(*special).backend_tokenizer.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def _byte_level_bpe(*special: str, bos: str | None = None) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=list(special), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    if bos is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def _save(folder: Path, architecture: Any, config: Any, tokenizer: PreTrainedTokenizerFast) -> Path:
    torch.manual_seed(0)
    with hushed():
        architecture(config).eval().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
