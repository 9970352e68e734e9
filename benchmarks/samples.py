"""Sample a policy's first replies to every scenario of a split, one JSON line each.

python benchmarks/samples.py --model runs/adversary/policy --split dev --n 8 --out samples.jsonl
"""

from __future__ import annotations

import argparse
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, load

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True)
parser.add_argument("--split", default="dev")
parser.add_argument("--n", type=int, default=8)
parser.add_argument("--temperature", type=float, default=0.9)
parser.add_argument("--max_new_tokens", type=int, default=72)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--out", required=True)
options = parser.parse_args()

tokenizer = AutoTokenizer.from_pretrained(options.model)
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
torch.manual_seed(options.seed)
scenarios = load(options.split)
with open(options.out, "w", encoding="utf-8") as out, torch.inference_mode():
    for number, row in enumerate(scenarios.rows(DEFAULT_SYSTEM_PROMPT)):
        prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_tensors="pt", return_dict=True)
        ids = model.generate(
            **prompt,
            do_sample=True,
            temperature=options.temperature,
            top_p=1.0,
            top_k=0,
            max_new_tokens=options.max_new_tokens,
            num_return_sequences=options.n,
            pad_token_id=tokenizer.pad_token_id,
        )[:, prompt["input_ids"].shape[1] :]
        for reply in ids:
            record = {
                "id": scenarios[number].id,
                "reply": tokenizer.decode(reply, skip_special_tokens=True),
                "truncated": bool((reply != tokenizer.eos_token_id).all()),
            }
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
        print(f"{number + 1}/{len(scenarios)}", flush=True)
