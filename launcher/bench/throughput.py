"""The bare engine, the page before it, and another server: how fast answers come to 1 person and to many who
ask at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
Ask = Callable[[int, int], Round]
"""Has so many people ask at one moment, each for an answer of so many tokens at most."""
Requests = tuple[ChatRequest, ...]
Found = dict[tuple[str, int], Measured]
"""Name and number of people -> what they were given."""

BARE = "bare engine"

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
    with _bare_engine(model, work, tell) as asked:
        found = _measured(asked, work, plan, tell)
    return {users: each for (_, users), each in found.items()}


def measure_page(
    model: Readiness, work: Workload, plan: Plan, uploads: Path, tell: Tell, *, against: str | None = None
) -> Found:
    """What the bare engine (``BARE``), the page by each route, and another server give people.

    They are asked in turns, run by run: a machine is not as fast at one moment as at another. The bare engine
    is the page's own, asked past the page. Another server shows at once whether it is there.

    Args:
        model: what is asked; of several cards on the one with most room.
        work: what about.
        plan: how often.
        uploads: a folder for the page's pictures.
        tell: called with what is measured now.
        against: where the other server's API begins; its name.

    Raises:
        LauncherError: the model cannot be loaded or asked, the page cannot be served, or somebody has no
            answer.
    """
    with ExitStack() as stack:
        asked = dict(stack.enter_context(_other_server(model, work, against))) if against else {}
        asked |= stack.enter_context(_page(model, work, plan.routes, uploads, tell))
        return _measured(asked, work, plan, tell)


def _measured(asked: Mapping[str, Ask], work: Workload, plan: Plan, tell: Tell) -> Found:
    """Asks with each number of people: once to warm up, then as often as is planned."""
    found: Found = {}
    for users in plan.users:
        for ask in asked.values():
            ask(users, min(work.tokens, _WARM_UP_TOKENS))
        rounds: dict[str, list[Round]] = {name: [] for name in asked}
        for run in range(plan.runs):
            for name, ask in asked.items():
                tell(f"{name}: {users} at once, run {run + 1} of {plan.runs}, {work.tokens} tokens")
                rounds[name].append(ask(users, work.tokens))
        found |= {(name, users): Measured(tuple(each)) for name, each in rounds.items()}
    return found


@contextmanager
def _bare_engine(model: Readiness, work: Workload, tell: Tell) -> Iterator[Mapping[str, Ask]]:
    with engine_child.engine_process() as engine:
        tell(f"the bare engine: loading {model.preset.name}")
        spec = spec_of(model)
        engine.ask(engine_child.Load(find(spec.engine).runs, spec))
        yield {BARE: _asking_bare(model, work, lambda requests: engine.ask(engine_child.AskAll(requests)))}


@contextmanager
def _page(
    model: Readiness, work: Workload, routes: tuple[str, ...], uploads: Path, tell: Tell
) -> Iterator[Mapping[str, Ask]]:
    """Its engine alone, and by each route, with people of its own."""
    with ExitStack() as stack:
        page = stack.enter_context(page_child.page_process())
        tell(f"the page: loading {model.preset.name}")
        url = page.ask(page_child.Serve((replace(model, elsewhere=()),), uploads, is_asked_within=True))
        page.ask(page_child.LoadModel(model.preset.name))
        bare = _asking_bare(model, work, lambda requests: page.ask(page_child.AskWithin(requests)))
        asked: dict[str, Ask] = {BARE: bare}
        for route in routes:
            people = stack.enter_context(client_child.people_process(f"people, {route}"))
            people.ask(client_child.Connect(url, route, model.preset))
            places = dict(zip(work.files, people.ask(client_child.Upload(work.files)), strict=True))
            asked[route] = _asking(page, people, work, places)
        yield asked


@contextmanager
def _other_server(model: Readiness, work: Workload, url: str) -> Iterator[Mapping[str, Ask]]:
    """Another server's first model, by OpenAI's API, with answers drawn as the preset says. Raises
    EngineError where the server has no answer, or does not count its tokens."""
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

        yield {url: ask}


def spec_of(model: Readiness) -> EngineSpec:
    """What its engine is built from, as for the page.

    Raises:
        LauncherError: why it cannot run here.
    """
    on = runnable_models([model])[0].on
    if isinstance(on, LauncherError):
        raise on
    return next(iter(on.values()))


def _asking_bare(model: Readiness, work: Workload, at_once: Callable[[Requests], Round]) -> Ask:
    def ask(users: int, tokens: int) -> Round:
        return at_once(tuple(_request(model, work, person, tokens) for person in range(users)))

    return ask


def _asking(page: Child, people: Child, work: Workload, places: Mapping[Path, Path]) -> Ask:
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
