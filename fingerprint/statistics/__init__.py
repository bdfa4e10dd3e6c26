"""Exact permutation tests, designs, power, cross-fitted scores and the intervals of figures."""
