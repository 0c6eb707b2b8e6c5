"""Keys that people bring along from LMDeploy and its like, and what does the same here."""

from __future__ import annotations

from collections.abc import Mapping

HERE: Mapping[str, tuple[str, str]] = {
    "session_len": ("memory.session_tokens", "with the same number"),
    "max_model_len": ("memory.session_tokens", "with the same number"),
    "num_ctx": ("memory.session_tokens", "with the same number"),
    "cache_max_entry_count": ("memory.kv_cache_ratio", "with the same number"),
    "gpu_memory_utilization": ("memory.gpu_budget_gib", "in GiB, not as a share of the card"),
    "quant_policy": ("memory.kv_bits", "8 for 8, 4 for 4, and 16 for 0"),
    "max_dynamic_patch": ("memory.max_tiles", "with the same number"),
    "max_pixels": ("memory.max_picture_tokens", "in tokens: Qwen3-VL's has 1,024 pixels, Qwen2-VL's 784"),
    "backend": ("engine", "turbomind or pytorch"),
    "model_name": ("name", "of lower-case letters"),
    "model_path": ("sources", "as hf:org/name or a folder"),
    "model": ("sources", "as hf:org/name or a folder"),
    "meta_instruction": ("chat.system_prompt", "with the same text"),
    "chat_template": ("chat.template", "by its name here"),
    "chat_template_name": ("chat.template", "by its name here"),
    "chat_template_config": ("chat", "with the keys template, system_prompt and stop"),
    "stop_words": ("chat.stop", "with the same texts"),
    "gen_config": ("generation", "with its keys"),
    "generation_config": ("generation", "with its keys"),
    "random_seed": ("generation.seed", "with the same number"),
    "data_type": ("dtype", "auto, bfloat16 or float16"),
    "torch_dtype": ("dtype", "auto, bfloat16 or float16"),
    "max_tokens": ("generation.max_new_tokens", "with the same number"),
    "do_sample": ("generation.temperature", "0 for false, above 0 for true"),
}
"""The key here, and how it is written, by a name that somebody knows from elsewhere."""

_ONE_CARD = "one card has the whole model, as every model that is served here fits one"
_PLANNED = "the memory plan finds it, from the card and the model; see it with: launcher plan"
_CHECKPOINT = "the checkpoint's own config.json says it"
_ONE_ANSWER = "an answer is drawn by generation.temperature, top_p, top_k and repetition_penalty alone"

NOWHERE: Mapping[str, str] = {
    **dict.fromkeys(("tp", "tensor_parallel_size", "dp", "ep", "cp", "device_num", "devices"), _ONE_CARD),
    **dict.fromkeys(("max_batch_size", "max_prefill_token_num", "num_gpu_blocks"), _PLANNED),
    **dict.fromkeys(("cache_block_seq_len", "block_size", "num_tokens_per_iter"), _PLANNED),
    **dict.fromkeys(("model_format", "rope_scaling_factor", "use_logn_attn", "stop_token_ids"), _CHECKPOINT),
    **dict.fromkeys(("min_p", "ignore_eos", "min_new_tokens", "bad_words", "n"), _ONE_ANSWER),
    "enable_prefix_caching": "it is always on where the engine can",
    "enable_metrics": "launcher bench measures",
    "eager_mode": "the PyTorch engine compiles where that is faster",
    "trust_remote_code": "no checkpoint's code is ever run",
    "hf_overrides": "a checkpoint is taken as it is",
    "adapters": "adapters are not loaded: merge them into the checkpoint",
    "revision": "launcher pull takes the newest; another one goes into a folder, and the folder into sources",
    "download_dir": "launcher pull has --to FOLDER",
    "backend_config": "its keys have places of their own, such as memory.session_tokens",
    "engine_config": "its keys have places of their own, such as memory.session_tokens",
    "log_level": "launcher doctor says where each model's log is",
}
"""Why there is no such key here, or where else it is said."""
