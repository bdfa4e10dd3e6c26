"""`detect` and its sections: the main path, power, the ladder, filters, controls, models, attribution."""
