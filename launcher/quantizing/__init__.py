"""``launcher quantize``: a checkpoint's language model in four bits (AWQ), made layer by layer with pictures
and texts that the model reads meanwhile. Runs in the command's own process; imports torch."""
