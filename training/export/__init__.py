"""From LightGBM boosters to one ONNX graph, with proof of parity."""
