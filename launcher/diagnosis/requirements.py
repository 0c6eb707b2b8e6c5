"""Which Python and which packages the launcher is made for."""

from __future__ import annotations

PYTHON = ">=3.10,<3.15"
PACKAGES = {
    "av": ">=15",
    "fastapi": ">=0.115",
    "gradio": ">=6.31,<7",
    "h11": ">=0.16",
    "httpx": ">=0.28,<1",
    "huggingface_hub": ">=1.0",
    "jinja2": ">=3.1",
    "markdown-it-py": ">=4",
    "msgspec": ">=0.20",
    "numpy": ">=2",
    "nvidia-ml-py": ">=13",
    "openai": ">=2",
    "packaging": ">=24",
    "prometheus-client": ">=0.21",
    "pillow": ">=11",
    "pillow-heif": ">=1",
    "prompt_toolkit": ">=3.0.50",
    "protobuf": "",
    "pydantic": ">=2.11",
    "pydantic-core": "",
    "pygments": ">=2.19",
    "pypdfium2": ">=5",
    "pyyaml": ">=6",
    "rich": ">=14",
    "safetensors": ">=0.6",
    "sentencepiece": ">=0.2.1",
    "socksio": ">=1",
    "starlette": ">=1",
    "tokenizers": ">=0.22",
    "torch": ">=2.6",
    "transformers": ">=5.17,<6",
    "typer": ">=0.29",
    "uvicorn": ">=0.34",
}
"""What pyproject.toml asks for, for a launcher that runs from a clone and has no metadata; a test compares
them."""
GPU_PACKAGES = {"lmdeploy": ">=0.18,<0.19", "torch": "<2.11"}
"""And beside that for LMDeploy's engines."""
