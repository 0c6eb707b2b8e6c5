"""What family files are made of. Pure: nothing here imports torch, transformers or LMDeploy."""
