"""Who is asked for metrics: a Prometheus, or the proxies themselves."""
