"""The built-in models: the worlds they know, their known answers, and the program that trains them.

Everything here but ``launcher.demo.training`` is torch-free.
"""
