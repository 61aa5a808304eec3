"""Side-by-side measurements: each prints ratios against a peer or a physical limit, medians of several runs."""
