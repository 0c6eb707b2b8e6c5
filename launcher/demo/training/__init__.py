"""Trains the built-in models: ``python3 -m launcher.demo.training shapes-internvl2 --minutes 8 --out
FOLDER``.

Run by whoever makes the checkpoints, never by the launcher. It needs torch, transformers, sentencepiece,
Pillow and NumPy.
"""
