"""The assets, one module a stage. Each reads, calls the domain, writes, and says at a glance what it did."""
