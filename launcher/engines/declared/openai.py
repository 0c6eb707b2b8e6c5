"""A model on a server that speaks OpenAI's API: nothing runs here."""

from launcher.engines.declaration import Declaration

ENGINE = Declaration(
    name="openai",
    title="a server that speaks OpenAI's API",
    runs="launcher.engines.remote:RemoteEngine",
    devices=("remote",),
    needs="endpoint",
    home="loop",
    packages={"openai": "openai>=2", "httpx": "httpx>=0.28,<1"},
)
