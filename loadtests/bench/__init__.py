"""The side-by-side benchmark: the service, a floor below it and the ordinary ways beside it, in one run."""
