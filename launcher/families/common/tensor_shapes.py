"""Shapes of a checkpoint's tensors, as the files' headers have them, against what its config.json says. What
does not fit is refused by every engine once the weights are read, so it is said before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.errors import CheckpointError
from launcher.families.common.sizes import LanguageSizes, ModelSizes, TowerSizes
from launcher.families.common.tensors import PartNames, part_of

Shapes = Mapping[str, tuple[int, ...]]

_TABLES = ("embed_tokens.weight", "tok_embeddings.weight")
_HEADS = ("lm_head.weight", "output.weight")
_DOWNLOAD_BOTH = "Weights and config.json are not of the same model; download both again."
_NAMES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What a config.json asks of tensors beside what its sizes do, all by the ends of their names: their
    shapes, and whether there are any."""

    shapes: Shapes = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)


def check_shapes(sizes: ModelSizes, found: Shapes, names: PartNames, asked: Asked, folder: object) -> None:
    """Makes sure that the tensors are those of the config.

    Args:
        sizes: as the config gives them.
        found: every tensor's shape by its name, those left out that no engine loads.
        names: how the names of the parts' tensors begin.
        asked: what the config asks for beside.
        folder: what errors call the checkpoint.

    Raises:
        CheckpointError: a tensor is of another shape, or is missing, or is too many.
    """
    tower = _of_tower(sizes.tower) if sizes.tower else {}
    wanted = {
        "language": {**_of_language(sizes.language), **asked.shapes},
        "vision": {**tower, **asked.shapes},
        "projector": asked.shapes,
    }
    for name, shape in found.items():
        expected = _by_end(name, wanted[part_of(name, names)])
        if expected is not None and shape != expected:
            raise CheckpointError(
                "{folder}: tensor {name} is {found}, its config.json asks for {expected}",
                _DOWNLOAD_BOTH,
                folder=folder,
                name=name,
                found=shape,
                expected=expected,
            )
    if not any(_is_named(name, _TABLES) for name in found):
        return  # no language model is among these, so that nothing can be said of what it lacks
    _check_switches({_HEADS: True} if not sizes.language.tied else {}, found, folder)
    _check_switches({(end,): there for end, there in asked.switches.items()}, found, folder)


def _of_language(sizes: LanguageSizes) -> Shapes:
    """Of tensors that have 16 bits; whose that have four are of other names."""
    table = (sizes.vocab, sizes.hidden)
    query, key_value = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    return {
        **dict.fromkeys((*_TABLES, *_HEADS), table),
        **dict.fromkeys(("k_proj.weight", "v_proj.weight"), (key_value, sizes.hidden)),
        **dict.fromkeys(("o_proj.weight", "wo.weight"), (sizes.hidden, query)),
        **dict.fromkeys(("q_norm.weight", "k_norm.weight"), (sizes.head_dim,)),
        **dict.fromkeys(
            ("gate_proj.weight", "up_proj.weight", "w1.weight", "w3.weight"),
            (sizes.intermediate, sizes.hidden),
        ),
        "wqkv.weight": (query + 2 * key_value, sizes.hidden),
    }


def _of_tower(sizes: TowerSizes) -> Shapes:
    return {
        **dict.fromkeys(
            ("mlp.fc1.weight", "mlp.linear_fc1.weight", "mlp.gate_proj.weight"),
            (sizes.intermediate, sizes.hidden),
        ),
        "attn.qkv.weight": (3 * sizes.hidden, sizes.hidden),
    }


def _by_end(name: str, wanted: Shapes) -> tuple[int, ...] | None:
    """What is asked of a tensor by the last two, or three, words of its name."""
    words = name.split(".")
    ends = (".".join(words[-count:]) for count in (3, 2, 1))
    return next((wanted[end] for end in ends if end in wanted), None)


def _is_named(name: str, ends: tuple[str, ...]) -> bool:
    return any(name == end or name.endswith(f".{end}") for end in ends)


def _check_switches(switches: Mapping[tuple[str, ...], bool], found: Shapes, folder: object) -> None:
    for ends, there in switches.items():
        held = [name for name in found if _is_named(name, ends)]
        if there and not held:
            raise CheckpointError(
                "{folder} lacks {count} tensors that its config.json asks for: {names}",
                _DOWNLOAD_BOTH,
                folder=folder,
                count=1,
                names=ends[0],
            )
        if held and not there:
            raise CheckpointError(
                "{folder} holds {count} tensors that its config.json has no place for: {names}",
                _DOWNLOAD_BOTH,
                folder=folder,
                count=len(held),
                names=", ".join(held[:_NAMES_SHOWN]) + (", …" if len(held) > _NAMES_SHOWN else ""),
            )
