"""A tiny policy for tests: byte-level BPE, two layers, about 0.1 M parameters, with the chat template of a real family."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

Family = Literal["smollm2", "qwen2.5", "qwen3", "llama3"]
FAMILIES: tuple[Family, ...] = ("smollm2", "qwen2.5", "qwen3", "llama3")

SMOLLM2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML as SmolLM2-135M-Instruct's GGUF carries it; the other families' templates come from TRL."""

_TRL_TEMPLATE = {"qwen2.5": "qwen2_5", "qwen3": "qwen3", "llama3": "llama3"}
_CORPUS = """I hear you. That sounds really hard, and I am sorry you are going through this.
I feel so alone today. Nobody listens to me at work. My boss shouted at me again.
What happened next? Do you want to tell me more about it? It makes sense that you feel upset.
Thank you, that helps. I am still angry but a little calmer now. I feel happy, sad, afraid, calm, warm, kind.
system user assistant You are a kind listener. My dog died this morning and the house is quiet.""".splitlines()


def chat_template(family: Family) -> str:
    """The family's chat template, as its owner packages it."""
    if family == "smollm2":
        return SMOLLM2_TEMPLATE
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{_TRL_TEMPLATE[family]}.jinja").read_text()


@cache
def tokenizer(family: Family = "smollm2") -> Any:
    """A tokenizer with the family's special tokens and chat template; end of turn is its `eos_token`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    llama = family == "llama3"
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    if llama:
        special = ["<|finetune_right_pad_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(_CORPUS * 20, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet))
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|begin_of_text|>" if llama else None,
        eos_token="<|eot_id|>" if llama else "<|im_end|>",
        pad_token=special[0],
        additional_special_tokens=["<|start_header_id|>", "<|end_header_id|>"] if llama else ["<|im_start|>"],
    )
    if family == "qwen3":
        made.add_tokens(["<think>", "</think>"])  # ordinary tokens, as in Qwen3: decoding keeps them
    made.chat_template = chat_template(family)
    made.padding_side = "left"
    return made


@cache
def path(family: Family = "smollm2") -> str:
    """A folder with model and tokenizer, built once per process; load it as any hub model. The weights are always the same."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tok = tokenizer(family)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tok),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=tok.bos_token_id,
            eos_token_id=tok.eos_token_id,
            pad_token_id=tok.pad_token_id,
        )
        model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = tok.eos_token_id
    folder = tempfile.mkdtemp(prefix=f"emorl-tiny-{family}-")
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    return folder


def grpo_args(output_dir: str | Path, **changes: Any) -> dict[str, Any]:
    """Keyword arguments of a `GRPOConfig` that trains the tiny model on a CPU in well under a second a step."""
    return {
        "output_dir": str(output_dir),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "num_generations": 4,
        "max_completion_length": 160,
        "max_steps": 2,
        "logging_steps": 1,
        "learning_rate": 1e-3,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 1,
    } | changes
