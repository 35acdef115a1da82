"""Uplift heads: what each action changes in retention and in expansion, learnt from draws with known propensities."""
