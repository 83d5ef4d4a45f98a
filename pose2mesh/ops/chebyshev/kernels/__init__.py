"""Triton kernels of the graph layer. Importing a module in here imports triton: `cuda.py` does it on first use."""
