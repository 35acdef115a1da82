"""Locust scenarios that use the service as any HTTP client would."""
