"""A corpus as sums: fingerprints that merge, are stored and shared without the rows, and are compared exactly."""
