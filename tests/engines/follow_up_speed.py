"""First token of a question about two pictures and of its follow-up, on the transformers engine with the
built-in models: ``python -m tests.engines.follow_up_speed``. Prints; asserts nothing."""

from __future__ import annotations

import asyncio
import statistics

from launcher.messages import ChatRequest, GenerationOptions, Message
from tests.engines.test_follow_ups import FOUR, THREE, VISION, Model, Talk

ROUNDS = 7


async def first_token_ms(model: Model, talk: Talk) -> tuple[str, float]:
    """The answer, and how long its first token took."""
    request = ChatRequest(talk, GenerationOptions(max_new_tokens=30))
    chunks = [chunk async for chunk in model.engine.stream(request)]
    usage = chunks[-1].usage
    assert usage is not None
    return "".join(chunk.text for chunk in chunks), 1000 * usage.first_token_s


async def measure(name: str) -> None:
    model = Model(name)
    await model.load()
    times: dict[str, list[float]] = {"first question": [], "follow-up": [], "follow-up, nothing kept": []}
    for _ in range(ROUNDS):
        model.forget()
        talk: Talk = (Message("user", "Describe the image.", (THREE, FOUR)),)
        said, took_ms = await first_token_ms(model, talk)
        times["first question"].append(took_ms)
        talk = (*talk, Message("assistant", said), Message("user", "How many shapes are there?"))
        times["follow-up"].append((await first_token_ms(model, talk))[1])
        model.forget()
        times["follow-up, nothing kept"].append((await first_token_ms(model, talk))[1])
    await model.engine.close()
    print(name, {what: f"{statistics.median(each):.0f} ms" for what, each in times.items()})


if __name__ == "__main__":
    for vision in VISION:
        asyncio.run(measure(vision))
