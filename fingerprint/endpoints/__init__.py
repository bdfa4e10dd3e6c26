"""OpenAI-compatible endpoints: many requests, answers as they come, and what they cost; for judges and for teachers."""
