"""LMDeploy's PyTorch engine, for the families that TurboMind lacks."""

from launcher.engines.declaration import LMDEPLOY, Declaration

ENGINE = Declaration(
    name="pytorch",
    title="the PyTorch engine",
    runs="launcher.engines.lmdeploy:LmdeployEngine",
    devices=("cuda",),
    is_planned=True,
    packages={
        **dict.fromkeys(("torch", "lmdeploy", "lmdeploy.pytorch.engine"), LMDEPLOY),
        "triton": "triton>=3.4.0,<=3.7.1",  # its kernels; LMDeploy's wheel asks for it on x86-64 Linux alone
    },
)
