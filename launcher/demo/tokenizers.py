"""The built-in models' small tokenizers: SentencePiece BPE models with InternLM2's settings, and their
special tokens.

Owns the training of ``tokenizer.model``, the content of ``tokenizer_config.json`` and a plain encoder for the
training program. At run time the checkpoints are read by ``launcher.models.internlm2_tokenizer`` like any
other; a test holds both to the same ids.

The last six pieces are the ``[UNUSED_TOKEN_141..146]`` that InternLM2 renames ``<|plugin|>`` to
``<|im_start|>``; InternVL2 adds nine tokens after them. Newlines and rare characters are byte pieces.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sentencepiece

from launcher.demo.naming import COLOUR_NAMES
from launcher.demo.pictures import draw_scene
from launcher.demo.questions import OUTSIDE_ANSWER, PICTURE_KINDS, ask
from launcher.demo.wordings import LANGUAGES, OUTSIDE_QUESTIONS, QuestionKind

CHAT_TOKENS = (
    "<|plugin|>",
    "<|interpreter|>",
    "<|action_end|>",
    "<|action_start|>",
    "<|im_end|>",
    "<|im_start|>",
)
"""In the order of their ids: the vocabulary's last six pieces."""
PICTURE_TOKENS = (
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
)
"""What InternVL2 appends, in the order of their ids."""
_LAST_UNUSED = 146
_UNUSED = tuple(f"[UNUSED_TOKEN_{_LAST_UNUSED - len(CHAT_TOKENS) + 1 + n}]" for n in range(len(CHAT_TOKENS)))
_CONTROL = ("<unk>", "<s>", "</s>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n'"
    " + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{"
    " '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(lines: Iterable[str], pieces: int) -> bytes:
    """Content of a ``tokenizer.model`` of exactly that many pieces, the six chat tokens included.

    Text that does not give so many pieces is made up for with more unused ones, so that the vocabulary's size
    stays round.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces - len(_UNUSED),
        character_coverage=1.0,
        hard_vocab_limit=False,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    return _with_unused_pieces(model.getvalue(), pieces)


def _with_unused_pieces(model: bytes, pieces: int) -> bytes:
    """Appends the pieces that become chat tokens; as options of the trainer they would come first."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    missing = pieces - len(proto.pieces)
    for number in range(_LAST_UNUSED - missing + 1, _LAST_UNUSED + 1):
        name = f"[UNUSED_TOKEN_{number}]"
        proto.pieces.add(piece=name, score=0.0, type=proto.SentencePiece.USER_DEFINED)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def shapes_corpus() -> Iterator[str]:
    """Questions and answers of the Shapes world, from seeds of the training part."""
    rng = random.Random("shapes-corpus")
    for seed in range(6000):
        scene = draw_scene(seed)
        for language in LANGUAGES:
            kind: QuestionKind = rng.choice((*PICTURE_KINDS, "absent"))
            question = ask(scene, kind, language, rng)
            if question is not None:
                yield question.text
                yield question.answer
    for language in LANGUAGES:
        yield from [OUTSIDE_ANSWER[language]] * 200
        yield from list(COLOUR_NAMES[language].values())
    yield from OUTSIDE_QUESTIONS["en"]
    yield from ["system", "user", "assistant"] * 400
    yield from ["".join(map(chr, range(33, 127)))] * 2


@dataclass(frozen=True, slots=True)
class Encoder:
    """Text with special tokens to ids, as the fast tokenizer does it, and back; cheap enough for the
    training's workers."""

    processor: Any
    special_ids: dict[str, int]
    _pattern: re.Pattern[str]

    @classmethod
    def of(cls, model: bytes, with_pictures: bool) -> Encoder:
        """The encoder of a ``tokenizer.model``; ``with_pictures`` adds InternVL2's tokens."""
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        size = int(processor.get_piece_size())
        ids = {name: i for i, name in enumerate(_CONTROL)}
        ids |= {name: size - len(CHAT_TOKENS) + i for i, name in enumerate(CHAT_TOKENS)}
        ids |= {name: size - len(_UNUSED) + i for i, name in enumerate(_UNUSED)}
        if with_pictures:
            ids |= {name: size + i for i, name in enumerate(PICTURE_TOKENS)}
        return cls(processor, ids, re.compile("(" + "|".join(map(re.escape, ids)) + ")"))

    @property
    def size(self) -> int:
        """Number of ids, special tokens included."""
        return max(int(self.processor.get_piece_size()), max(self.special_ids.values()) + 1)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; the names of special tokens in it become those tokens."""
        ids: list[int] = []
        for part in self._pattern.split(text):
            if part in self.special_ids:
                ids.append(self.special_ids[part])
            elif part:
                ids.extend(self.processor.encode(part))
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of ids, special tokens left out."""
        special = set(self.special_ids.values())
        return str(self.processor.decode([i for i in ids if i not in special]))


def tokenizer_config(encoder: Encoder, with_pictures: bool) -> dict[str, Any]:
    """Content of ``tokenizer_config.json``, shaped as the published InternVL2 and InternLM2-Chat ones."""
    names = (*_CONTROL, *CHAT_TOKENS, *(PICTURE_TOKENS if with_pictures else ()))
    added = {
        str(encoder.special_ids[name]): {
            "content": name,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for name in names
    }
    return {
        "added_tokens_decoder": added,
        "additional_special_tokens": [*CHAT_TOKENS[::-1], *(PICTURE_TOKENS if with_pictures else ())],
        "auto_map": {"AutoTokenizer": ["tokenization_internlm2.InternLM2Tokenizer", None]},
        "bos_token": "<s>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "model_max_length": 4096,
        "pad_token": "</s>",
        "tokenizer_class": "InternLM2Tokenizer",
        "unk_token": "<unk>",
    }
