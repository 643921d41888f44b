"""Real traffic for emulated clusters: an Envoy, small upstreams and a load generator for each, on loopback."""
