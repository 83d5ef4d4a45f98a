"""Chebyshev graph convolution (Defferrard et al., NeurIPS 2016): one signature, several backends."""
