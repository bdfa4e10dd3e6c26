"""All that knows torch and transformers: models, scoring, sampling, gradients, training, teachers."""
