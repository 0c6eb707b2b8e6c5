"""Small vision-language models in the browser and the terminal, on LMDeploy where there is an NVIDIA GPU."""
