"""What the launcher has to know of a family of models: one frozen value each, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Protocol

from launcher.engine_costs import COSTS, EngineKind
from launcher.errors import CheckpointError, DeviceError, UnsupportedModel
from launcher.families.common.config_part import LANGUAGE_PARTS, WRONG_CONFIG, ConfigPart
from launcher.families.common.pictures import PictureBudget
from launcher.families.common.preprocessing import Preparation, check_preparation
from launcher.families.common.prompts import ChatTemplate, PictureMarks, PromptForm
from launcher.families.common.sizes import ELEMENT_BYTES, ModelSizes
from launcher.families.common.tensor_shapes import Asked, Shapes, check_shapes
from launcher.families.common.tensors import PartNames, check_layers, with_tensor_bytes

TOKENIZER_S_OWN = "tokenizer"
"""The prompt form of a checkpoint whose tokenizer carries it, as a chat template."""
_TOKENIZER_FORM = "launcher.models.tokenizer_prompts:TokenizerPrompts"


class Decoder(Protocol):
    """An answer's tokens -> its text, as they come. Special tokens have no text; half a character waits."""

    def add(self, token_id: int) -> str:
        """The text that this token completes; may be empty."""
        ...

    def finish(self) -> str:
        """What was still waiting when the answer ended."""
        ...


@dataclass(frozen=True, slots=True)
class Architecture:
    """What config.json's ``architectures`` says, of the whole model and, where there is one, of the language
    model inside. ``language_types`` are that one's ``model_type``s, for files that lack its architecture;
    ``model_type`` is the whole model's, by which transformers and LMDeploy find its code."""

    name: str
    language: str = ""
    language_types: tuple[str, ...] = ()
    model_type: str = ""

    def __str__(self) -> str:
        return f"{self.name} with {self.language}" if self.language else self.name


@dataclass(frozen=True, slots=True)
class Family:
    """One family of models.

    Names of code are dotted paths with a colon before what is meant in the module, such as
    "launcher.models.internlm2:load_model": it is imported in the worker process alone.
    """

    title: str
    """What people call it."""
    architectures: tuple[Architecture, ...]
    """Those that it answers for."""
    engines: tuple[EngineKind, ...]
    """The LMDeploy engines that serve it, the faster first, unless its file says why another; engine auto
    takes the first that has all it needs on this machine."""
    reads_pictures: bool
    """They answer without a picture too, so a preset may offer them for text alone."""
    read_sizes: Callable[[ConfigPart], ModelSizes]
    """The sizes as config.json gives them. Raises CheckpointError for one that is missing or wrong."""
    templates: Mapping[str, ChatTemplate]
    """Its prompt forms by the names that presets use; none where the tokenizers carry them."""
    template_name: Callable[[Mapping[str, Any]], str | None]
    """config.json -> the form that the checkpoint was trained on, ``TOKENIZER_S_OWN`` where its tokenizer
    knows; None for one that nobody here can write."""
    decoder: str
    """A function: transformers' tokenizer -> ``Decoder`` of one answer."""
    loader: str
    """A function: ``launcher.models.loading.LoadRequest`` -> ``LoadedModel``, for transformers."""
    layered: str = ""
    """A function: ``LoadRequest`` -> ``launcher.models.layered.LayeredModel``, for `launcher quantize`; none
    where that cannot take the family."""
    picture_marks: PictureMarks | None = None
    """How the tokenizers' own templates write a picture; None where there are no such, or no pictures."""
    pixels: str = ""
    """A function: picture budget -> (picture -> what LMDeploy's engines are shown of it, float32); none where
    LMDeploy's own preprocessing does."""
    preparation: Callable[[PictureBudget], Preparation] | None = None
    """How pictures are prepared within a budget, where a file of the checkpoint says it too."""
    packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What engines need for this family beside what they need for any: by an engine's name, what has to be
    importable, each module with the requirement that pip installs it by."""
    plug_in: str = ""
    """A function that gives LMDeploy what it lacks for this family; none where it lacks nothing."""
    tensor_parts: PartNames = field(default_factory=dict)
    unread_tensors: tuple[str, ...] = ()
    """How the names begin of tensors that the files hold and no engine loads."""
    refused_tensors: Mapping[str, str] = field(default_factory=dict)
    """Tensors that tell a model of the same architecture that does not run, and what that is called."""
    check: Callable[[ConfigPart], None] = lambda _: None
    """Raises UnsupportedModel for a config.json of the same architecture whose model does not run."""
    check_on_transformers: Callable[[ConfigPart], None] = lambda _: None
    """Raises UnsupportedModel for one that runs on LMDeploy's engines alone."""
    picture_token: str = ""
    """A token of the vocabulary that stands for a picture's; none where a loader knows another way."""
    reads_sentence_pieces: bool = False
    """Its tokenizer is made of a tokenizer.model, InternLM's kind of SentencePiece model."""
    asked: Callable[[ConfigPart], Asked] = lambda _: Asked()
    """What config.json asks of tensors beside its sizes."""
    published: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Configs of published models by their hubs' ids, cut down to what memory depends on."""
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of what `launcher quantize` makes of presets that come with the launcher, by their names."""

    def sizes(
        self,
        config: Mapping[str, Any],
        tensor_bytes: Mapping[str, int] | None = None,
        file: object = "config.json",
        number_bytes: int | None = None,
    ) -> ModelSizes:
        """The sizes of a checkpoint.

        Args:
            config: the checkpoint's config.json, of this family.
            tensor_bytes: bytes of each tensor by name, as a GPU engine keeps it; without it they follow from
                the config.
            file: what errors call the config.
            number_bytes: of one number of the embedding table in the files; without it the config's word is
                taken.

        Raises:
            CheckpointError: the config lacks a size or has one that no model has, or the weights lack layers.
            UnsupportedModel: the weights are another model's.
        """
        sizes = self.read_sizes(ConfigPart(config, str(file)))
        if number_bytes is None and sizes.dtype == "float32":
            number_bytes = 2 * ELEMENT_BYTES
        sizes = replace(sizes, number_bytes=number_bytes or ELEMENT_BYTES)
        if tensor_bytes is None:
            return sizes
        self._refuse_other_models(tensor_bytes, file)
        tensor_bytes = {
            name: size for name, size in tensor_bytes.items() if not name.startswith(self.unread_tensors)
        }
        check_layers(sizes, tensor_bytes, self.tensor_parts, str(file))
        return with_tensor_bytes(sizes, tensor_bytes, self.tensor_parts)

    def check_here(
        self, config: Mapping[str, Any], shapes: Shapes, file: object = "config.json", folder: object = ""
    ) -> None:
        """Makes sure that engines find code for a checkpoint that is on this machine, and that its weights
        and config are of the same model.

        Args:
            config: its config.json, of this family.
            shapes: every tensor's by its name; none, where they cannot be known.
            file: what errors call the config.
            folder: what errors call the checkpoint.

        Raises:
            CheckpointError: they are not, or the config does not say its model_type.
        """
        part = ConfigPart(config, str(file))
        self._check_types(part)
        if shapes:
            read = {name: shape for name, shape in shapes.items() if not name.startswith(self.unread_tensors)}
            check_shapes(self.read_sizes(part), read, self.tensor_parts, self.asked(part), folder)

    def check_preprocessing(self, own: Mapping[str, Any], file: object, budget: PictureBudget | None) -> None:
        """Makes sure that a checkpoint's pictures are prepared as its makers did.

        Args:
            own: what its folder says of that; empty where it says nothing.
            file: what errors call the file that says it.
            budget: of one picture here; None for a text model.

        Raises:
            CheckpointError: they are not.
        """
        if self.preparation and budget:
            check_preparation(ConfigPart(own, str(file)), self.preparation(budget))

    def prompt_form(self, config: Mapping[str, Any], tokenizer: Any) -> PromptForm:
        """The prompt form of a checkpoint of this family, one that ``families.of`` has let through. For the
        model's own process.

        Args:
            config: its config.json.
            tokenizer: transformers' of it.

        Raises:
            CheckpointError: the tokenizer should carry the form, and carries none that can be used.
        """
        name = str(self.template_name(config))
        if name == TOKENIZER_S_OWN:
            form: PromptForm = code(_TOKENIZER_FORM)(tokenizer, self.picture_marks)
            return form
        return self.templates[name]

    def engine(self, wanted: str, sizes: ModelSizes) -> EngineKind:
        """The LMDeploy engine for a preset's ``engine``: auto or one by its name.

        Raises:
            DeviceError: no LMDeploy engine, or not the wanted one, serves a model of such sizes.
        """
        head_dim = sizes.language.head_dim
        served = [engine for engine in self.engines if COSTS[engine].serves(head_dim)]
        for engine in served:
            if wanted in ("auto", engine):
                return engine
        raise DeviceError(
            "{engine} has no kernels for {architecture} with {head} numbers in each head."
            if wanted in self.engines
            else "The engine {engine} does not serve {architecture}.",
            hint="Set engine: to one of {served}.",
            engine=wanted,
            architecture=sizes.architecture,
            head=head_dim,
            served=", ".join((*served, "transformers")),
        )

    def _check_types(self, config: ConfigPart) -> None:
        """Architectures and model_types are looked at by different programs, so they have to agree."""
        own = [each for each in self.architectures if each.name == config.values["architectures"][0]]
        _check_type(config, {each.model_type for each in own})
        inside = {kind for each in own for kind in each.language_types}
        for key in LANGUAGE_PARTS:
            if inside and isinstance(config.values.get(key), Mapping):
                _check_type(config.part(key), inside)

    def _refuse_other_models(self, tensors: Mapping[str, int], file: object) -> None:
        for name, model in self.refused_tensors.items():
            if name in tensors:
                raise UnsupportedModel(
                    "{file} is that of {model}, which the launcher does not run",
                    "Take {instead}.",
                    file=file,
                    model=model,
                    instead=", ".join(self.published),
                )


def _check_type(part: ConfigPart, known: Set[str]) -> None:
    if part.values.get("model_type") not in list(known):
        raise CheckpointError(
            "{file}: {key} is {value}, not one of {known}",
            WRONG_CONFIG,
            **part.facts("model_type"),
            known=", ".join(sorted(known)),
        )


def code(path: str) -> Any:
    """What a dotted path names; imports its module."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
