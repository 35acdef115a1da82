"""Policy as code: rules in YAML, compiled and checked when loaded, that no action gets past."""
