"""The bare engine, and the page before it: how fast answers come to 1 person and to many who ask at one
moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.bench import client_child, engine_child, page_child
from launcher.bench.child import Child
from launcher.bench.client_child import AllHeard
from launcher.bench.figures import Measured, Round
from launcher.bench.lean_http import no_answer
from launcher.bench.workload import Conversation, Workload
from launcher.engines.base import EngineSpec
from launcher.engines.table import find
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Message, system_turn
from launcher.readiness import Readiness
from launcher.workers.runnable import runnable_models

Tell = Callable[[str], None]
"""Called with what is measured now."""

_WARM_UP_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """How often it is measured.

    Attributes:
        users: numbers of people who ask at one moment.
        runs: how often each of them; of these the median counts.
        routes: the ways to the page, of ``launcher.bench.route``.
    """

    users: tuple[int, ...]
    runs: int
    routes: tuple[str, ...] = ()


def measure_engine(model: Readiness, work: Workload, plan: Plan, tell: Tell) -> dict[int, Measured]:
    """Number of people -> what the bare engine gives them.

    Raises:
        LauncherError: the model cannot be loaded or asked.
    """
    with engine_child.engine_process() as engine:
        tell(f"the bare engine: loading {model.preset.name}")
        spec = spec_of(model)
        engine.ask(engine_child.Load(find(spec.engine).runs, spec))

        def ask(users: int, tokens: int) -> Round:
            requests = tuple(_request(model, work, person, tokens) for person in range(users))
            answered: Round = engine.ask(engine_child.AskAll(requests))
            return answered

        return _measured(ask, work, plan, "the bare engine", tell)


def measure_page(
    model: Readiness, work: Workload, plan: Plan, uploads: Path, tell: Tell
) -> dict[tuple[str, int], Measured]:
    """Route and number of people -> what the page gives them; ``uploads`` is a folder for its pictures.

    Raises:
        LauncherError: the page cannot be served, or has no answer.
    """
    found: dict[tuple[str, int], Measured] = {}
    with ExitStack() as stack:
        page = stack.enter_context(page_child.page_process())
        people = stack.enter_context(client_child.people_process())
        tell(f"the page: loading {model.preset.name}")
        url = page.ask(page_child.Serve((model,), uploads))
        page.ask(page_child.LoadModel(model.preset.name))
        for route in plan.routes:
            people.ask(client_child.Connect(url, route, model.preset))
            places = dict(zip(work.files, people.ask(client_child.Upload(work.files)), strict=True))
            measured = _measured(_asking(page, people, work, places), work, plan, f"the page, {route}", tell)
            found |= {(route, users): each for users, each in measured.items()}
    return found


def measure_other(
    model: Readiness, work: Workload, plan: Plan, url: str, tell: Tell
) -> dict[tuple[str, int], Measured]:
    """Address and number of people -> what another server's first model gives them, by OpenAI's API.

    Args:
        model: the same model here; its preset says how answers are drawn.
        work: what is asked.
        plan: how often.
        url: where the server's API begins.
        tell: called with what is measured now.

    Raises:
        EngineError: the server has no answer, or does not count its tokens.
    """
    with client_child.people_process() as people:
        people.ask(client_child.ConnectOther(url, model.preset.generation.options()))

        def ask(users: int, tokens: int) -> Round:
            asked = tuple(work.conversation(person, tokens) for person in range(users))
            heard: AllHeard = people.ask(client_child.AskAll(asked, tokens))
            for each in heard.answers:
                work.check(each.text, tokens)
            counted = [each.tokens for each in heard.answers if each.tokens is not None]
            if len(counted) < users:
                raise no_answer("an answer's stream had no usage")
            return Round(tuple(each.timing for each in heard.answers), sum(counted), heard.seconds)

        measured = _measured(ask, work, plan, url, tell)
    return {(url, users): each for users, each in measured.items()}


def spec_of(model: Readiness) -> EngineSpec:
    """What its engine is built from, as for the page.

    Raises:
        LauncherError: why it cannot run here.
    """
    on = runnable_models([model])[0].on
    if isinstance(on, LauncherError):
        raise on
    return next(iter(on.values()))


def _measured(
    ask: Callable[[int, int], Round], work: Workload, plan: Plan, what: str, tell: Tell
) -> dict[int, Measured]:
    """Asks with each number of people: once to warm up, then as often as is planned."""
    found = {}
    for users in plan.users:
        tell(f"{what}: {users} at once, {plan.runs} runs of {work.tokens} tokens")
        ask(users, min(work.tokens, _WARM_UP_TOKENS))
        found[users] = Measured(tuple(ask(users, work.tokens) for _ in range(plan.runs)))
    return found


def _asking(
    page: Child, people: Child, work: Workload, places: Mapping[Path, Path]
) -> Callable[[int, int], Round]:
    def ask(users: int, tokens: int) -> Round:
        conversations = tuple(_uploaded(work.conversation(person, tokens), places) for person in range(users))
        page.ask(page_child.TakeTokens())
        heard: AllHeard = people.ask(client_child.AskAll(conversations, tokens))
        for each in heard.answers:
            work.check(each.text, tokens)
        counted: int = page.ask(page_child.TakeTokens())
        return Round(tuple(each.timing for each in heard.answers), counted, heard.seconds)

    return ask


def _request(model: Readiness, work: Workload, person: int, tokens: int) -> ChatRequest:
    """What the page makes of the same question."""
    preset = model.preset
    options = replace(preset.generation.options(), max_new_tokens=tokens)
    messages = (*system_turn(preset.chat.system_prompt), *work.conversation(person, tokens))
    return ChatRequest(messages, options)


def _uploaded(conversation: Conversation, places: Mapping[Path, Path]) -> Conversation:
    """The same with pictures where the page keeps them."""
    return tuple(
        Message(each.role, each.text, tuple(places[path] for path in each.pictures)) for each in conversation
    )
