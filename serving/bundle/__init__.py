"""The bundle: manifest, loading, one ONNX session."""
