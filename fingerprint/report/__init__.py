"""What a comparison found, and the ways out of it: text, JSON, frames, HTML, pictures."""
