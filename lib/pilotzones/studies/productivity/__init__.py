"""Cross-border e-commerce pilot zones and the new-quality productivity of cities (authors not in the text)."""
