"""LMDeploy's PyTorch engine, for the families that TurboMind lacks."""

from launcher.engines.declaration import Declaration

ENGINE = Declaration(
    name="pytorch",
    title="the PyTorch engine",
    runs="launcher.engines.lmdeploy:LmdeployEngine",
    devices=("cuda",),
    is_planned=True,
    packages=("lmdeploy>=0.18,<0.19",),
    modules=("torch", "lmdeploy", "lmdeploy.pytorch.engine"),
)
