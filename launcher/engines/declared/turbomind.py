"""LMDeploy's TurboMind: the fastest, for the families that it serves."""

from launcher.engines.declaration import LMDEPLOY, Declaration

ENGINE = Declaration(
    name="turbomind",
    title="TurboMind",
    runs="launcher.engines.lmdeploy:LmdeployEngine",
    devices=("cuda",),
    is_planned=True,
    packages=dict.fromkeys(("torch", "lmdeploy", "lmdeploy.turbomind"), LMDEPLOY),
)
