"""Online features, scoring, decisions, HTTP and the BentoML service."""
