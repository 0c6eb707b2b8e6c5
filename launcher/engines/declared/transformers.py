"""Hugging Face's transformers: runs anywhere, one token after the other."""

from launcher.engines.declaration import Declaration

ENGINE = Declaration(
    name="transformers",
    title="transformers",
    runs="launcher.engines.transformers:TransformersEngine",
    devices=("cuda", "cpu"),
    packages={"torch": "torch", "transformers": "transformers"},
)
