"""LMDeploy's TurboMind: the fastest, for the families that it serves."""

from launcher.engines.declaration import Declaration

ENGINE = Declaration(
    name="turbomind",
    title="TurboMind",
    runs="launcher.engines.lmdeploy:LmdeployEngine",
    devices=("cuda",),
    is_planned=True,
    packages=("lmdeploy>=0.18,<0.19",),
    modules=("torch", "lmdeploy", "lmdeploy.turbomind"),
)
